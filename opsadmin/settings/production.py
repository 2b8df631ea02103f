"""Production, and staging with other variables. Refuses to start when a setting would be unsafe."""

from __future__ import annotations

from django.core.exceptions import ImproperlyConfigured

from opsadmin.database import APP, user_of
from opsadmin.settings.base import *  # noqa: F403
from opsadmin.settings.base import ALLOWED_HOSTS, DATABASE_URL, SECRET_KEY, env

DEBUG = False

if env.bool("DEBUG", default=False):
    raise ImproperlyConfigured("DEBUG is set: production never runs with DEBUG. Remove the variable.")
if len(SECRET_KEY) < 50 or SECRET_KEY.startswith(("not-a-secret", "django-insecure")) or len(set(SECRET_KEY)) < 10:
    raise ImproperlyConfigured("SECRET_KEY must be set to at least 50 random characters of your own.")
if not ALLOWED_HOSTS or any("*" in host for host in ALLOWED_HOSTS):
    raise ImproperlyConfigured("ALLOWED_HOSTS must name your hosts, without a wildcard.")
if user_of(DATABASE_URL) != APP:
    raise ImproperlyConfigured(f"DATABASE_URL must log in as {APP}; give DATABASE_OWNER_URL only to `migrate`.")

SECURE_SSL_REDIRECT = env.bool("SECURE_SSL_REDIRECT", default=True)
SECURE_REDIRECT_EXEMPT = [r"^healthz$", r"^readyz$", r"^metrics$"]
SECURE_HSTS_SECONDS = env.int("SECURE_HSTS_SECONDS", default=365 * 24 * 3600)
SECURE_HSTS_INCLUDE_SUBDOMAINS = True
SECURE_HSTS_PRELOAD = True
SESSION_COOKIE_SECURE = True
SESSION_COOKIE_NAME = "__Host-sessionid"
CSRF_COOKIE_SECURE = True
CSRF_COOKIE_NAME = "__Host-csrftoken"
# Believe the proxy's word about https only where there is a proxy.
if env.int("PROXY_COUNT", default=0):
    SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")
