"""The Celery application. It wakes workers; what is to be done stands in the job row."""

import os

from celery import Celery
from kombu.transport import TRANSPORT_ALIASES

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "opsadmin.settings.development")
TRANSPORT_ALIASES["atomicfs"] = "opsadmin.embedded.broker:Transport"

app = Celery("opsadmin")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks()
