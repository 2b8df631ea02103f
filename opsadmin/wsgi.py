"""The WSGI application that gunicorn serves."""

import gc
import os

from django.core.wsgi import get_wsgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "opsadmin.settings.production")
application = get_wsgi_application()
# What is loaded now stays. The collector would walk through all of it every few dozen pages, for a fifth of a second.
gc.collect()
gc.freeze()
