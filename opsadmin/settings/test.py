"""The test suite: real PostgreSQL, the app role, nothing sent anywhere."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

from opsadmin.settings.base import *  # noqa: F403
from opsadmin.settings.base import DATA_DIR

SECRET_KEY = "tests-only"
ALLOWED_HOSTS = ["*"]
PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
EMAIL_BACKEND = "django.core.mail.backends.locmem.EmailBackend"
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"},
}
# `./dev test` gives every run a data directory of its own; whoever calls pytest alone gets one that goes with the process.
_here = None if "OPSADMIN_DATA" in os.environ else tempfile.TemporaryDirectory(prefix="opsadmin-tests-")
_files = Path(_here.name) if _here else DATA_DIR
MEDIA_ROOT, STATIC_ROOT = str(_files / "files"), str(_files / "static")
AUDIT_SEALING_KEY_FILE = str(_files / "audit" / "sealing.pem")
AUDIT_CHECKPOINT_DIR = str(_files / "audit" / "published")
AUDIT_SEALING_PUBLIC_KEY_FILE = str(_files / "audit" / "published" / "public_key.pem")
Path(STATIC_ROOT).mkdir(parents=True, exist_ok=True)
WHITENOISE_USE_FINDERS = True
AXES_ENABLED = False
