"""The test suite: real PostgreSQL, the app role, nothing sent anywhere."""

from __future__ import annotations

import tempfile

from opsadmin.settings.base import *  # noqa: F403

SECRET_KEY = "tests-only"
ALLOWED_HOSTS = ["*"]
PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
EMAIL_BACKEND = "django.core.mail.backends.locmem.EmailBackend"
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"},
}
MEDIA_ROOT = tempfile.mkdtemp(prefix="opsadmin-tests-")
STATIC_ROOT = tempfile.mkdtemp(prefix="opsadmin-tests-")
WHITENOISE_USE_FINDERS = True
AXES_ENABLED = False
