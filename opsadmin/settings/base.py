"""Settings shared by every environment. Each value that differs comes from the environment, with its default here."""

from __future__ import annotations

import os
from pathlib import Path

import environ
from csp.constants import NONE, SELF, UNSAFE_EVAL, UNSAFE_INLINE
from django.templatetags.static import static

from opsadmin.database import APP, as_role

BASE_DIR = Path(__file__).resolve().parent.parent.parent
env = environ.Env()

# Where the product keeps files: uploads, exports, the file-system broker, keys.
DATA_DIR = Path(env("OPSADMIN_DATA", default=str(BASE_DIR / ".data"))).resolve()

# A secret may begin with "$", which django-environ would take for a reference: read it as it is.
SECRET_KEY = os.environ.get("SECRET_KEY", "")
SECRET_KEY_FALLBACKS = env.list("SECRET_KEY_FALLBACKS", default=[])
DEBUG = False
ALLOWED_HOSTS = env.list("ALLOWED_HOSTS", default=["localhost", "127.0.0.1", "[::1]"])
CSRF_TRUSTED_ORIGINS = env.list("CSRF_TRUSTED_ORIGINS", default=[])

# unfold's templates must be found before Django's.
INSTALLED_APPS = [
    "opsadmin.apps.OpsAdminConfig",
    "unfold.apps.BasicAppConfig",
    "unfold.contrib.filters",
    "unfold.contrib.forms",
    "unfold.contrib.inlines",
    "opsadmin.apps.SiteConfig",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "django.contrib.humanize",
    "import_export",
    "simple_history",
    "guardian",
    "django_filters",
    "pgtrigger",
    "axes",
    "csp",
    "admin_ext.audit",
    "admin_ext.access",
    "admin_ext",
    "admin_ext.notices",
    "admin_ext.jobs",
    "admin_ext.granting",
    "admin_ext.filtering",
    "admin_ext.plans",
    "admin_ext.transfers",
    "admin_ext.desk",
    "apps.accounts",
    "apps.customers",
    "apps.catalogue",
    "apps.inventory",
    "apps.orders",
]

MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "csp.middleware.CSPMiddleware",
    "opsadmin.middleware.PermissionsPolicyMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "opsadmin.middleware.IdleSessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "opsadmin.middleware.TimeZoneMiddleware",
    "admin_ext.audit.middleware.ActMiddleware",
    "admin_ext.granting.middleware.StandingInMiddleware",
    "admin_ext.audit.middleware.AccessMiddleware",
    "axes.middleware.AxesMiddleware",
]

ROOT_URLCONF = "opsadmin.urls"
WSGI_APPLICATION = "opsadmin.wsgi.application"

TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "opsadmin" / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ],
        },
    }
]

# -- PostgreSQL: the only database. Web, worker and tests log in as the app role; `migrate` as the owner. --
DATABASE_URL = env("DATABASE_URL", default="postgres:///opsadmin")
DATABASES = {"default": env.db_url_config(as_role(DATABASE_URL, APP))}
DATABASES["default"]["ENGINE"] = "django.db.backends.postgresql"
DATABASES["default"].setdefault("OPTIONS", {}).setdefault("connect_timeout", 5)
DATABASES["default"]["ATOMIC_REQUESTS"] = False  # services own their transactions
# Behind PgBouncer in transaction mode: no server-side cursor may outlive its transaction, and it keeps the connections.
DATABASES["default"]["DISABLE_SERVER_SIDE_CURSORS"] = DATABASE_POOLED = env.bool("DATABASE_POOLED", default=False)
DATABASES["default"]["CONN_MAX_AGE"] = env.int("CONN_MAX_AGE", default=0 if DATABASE_POOLED else 60)
DATABASES["default"]["CONN_HEALTH_CHECKS"] = True
# Exports read from it, where there is one that keeps up.
if DATABASE_REPLICA_URL := env("DATABASE_REPLICA_URL", default=""):
    replica = env.db_url_config(as_role(DATABASE_REPLICA_URL, APP))
    DATABASES["replica"] = {**DATABASES["default"], **replica, "ENGINE": "django.db.backends.postgresql"}
    DATABASES["replica"]["TEST"] = {"MIRROR": "default"}
REPLICA_WAIT_SECONDS = env.float("REPLICA_WAIT_SECONDS", default=5)
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

# Who acts is signed with the first of these; `migrate` tells the database which it may believe. Where none is named,
# the SECRET_KEY and its fallbacks serve.
AUDIT_CONTEXT_KEYS = env.list("AUDIT_CONTEXT_KEYS", default=[])

AUTH_USER_MODEL = "accounts.User"
AUTHENTICATION_BACKENDS = [
    "axes.backends.AxesStandaloneBackend",
    "admin_ext.access.backends.RoleBackend",
]
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": f"django.contrib.auth.password_validation.{name}"}
    for name in (
        "UserAttributeSimilarityValidator",
        "MinimumLengthValidator",
        "CommonPasswordValidator",
        "NumericPasswordValidator",
    )
]
LOGIN_URL = "admin:login"
LOGIN_REDIRECT_URL = "admin:index"

# guardian stores the grants; the decision is admin_ext.access's alone.
ANONYMOUS_USER_NAME = None
GUARDIAN_MONKEY_PATCH_USER = False
SILENCED_SYSTEM_CHECKS = ["guardian.W001"]  # its backend would decide beside access/; it must not

# simple-history gives tables and vocabulary; triggers write, so its own writers are off.
SIMPLE_HISTORY_ENABLED = False
SIMPLE_HISTORY_REVERT_DISABLED = True

# Five wrong passwords for one name from one address within a quarter of an hour close that pair, nobody else.
AXES_FAILURE_LIMIT = 5
AXES_COOLOFF_TIME = 0.25
AXES_LOCKOUT_PARAMETERS = [["username", "ip_address"]]
AXES_RESET_ON_SUCCESS = True
AXES_ENABLE_ADMIN = False
AXES_IPWARE_PROXY_COUNT = env.int("PROXY_COUNT", default=0)
AXES_VERBOSE = False

# Sessions end after half an hour of doing nothing.
SESSION_COOKIE_AGE = env.int("SESSION_IDLE_SECONDS", default=30 * 60)
SESSION_COOKIE_HTTPONLY = True
SESSION_COOKIE_SAMESITE = "Lax"
CSRF_COOKIE_SAMESITE = "Lax"
X_FRAME_OPTIONS = "DENY"
SECURE_CONTENT_TYPE_NOSNIFF = True
SECURE_REFERRER_POLICY = "same-origin"
SECURE_CROSS_ORIGIN_OPENER_POLICY = "same-origin"

# As strict as unfold's build of Alpine allows: it evaluates expressions, hence 'unsafe-eval' (docs/security.md).
CONTENT_SECURITY_POLICY = {
    "DIRECTIVES": {
        "default-src": [SELF],
        "script-src": [SELF, UNSAFE_EVAL],
        "style-src": [SELF, UNSAFE_INLINE],
        "img-src": [SELF, "data:", "blob:"],
        "font-src": [SELF],
        "connect-src": [SELF],
        "form-action": [SELF],
        "frame-ancestors": [NONE],
        "base-uri": [NONE],
        "object-src": [NONE],
    }
}

LANGUAGE_CODE = "en-gb"
TIME_ZONE = "UTC"
LANGUAGES = [(LANGUAGE_CODE, "English")]
# One language: a page asks for six hundred translations, and each would be looked up.
USE_I18N = False
FORM_RENDERER = "admin_ext.admin.select_html.SelectRenderer"
USE_TZ = True

UNFOLD = {
    "SITE_TITLE": "opsadmin",
    "SITE_HEADER": "opsadmin",
    "SITE_SYMBOL": "shield_person",
    "SITE_FAVICONS": [
        {"rel": "icon", "type": "image/svg+xml", "href": lambda request: static("admin_ext/favicon.svg")}
    ],
    "SHOW_BACK_BUTTON": True,
    "STYLES": [lambda request: static("admin_ext/opsadmin.css")],
    "SCRIPTS": [
        lambda request: static("admin_ext/palette.js"),
        lambda request: static("admin_ext/lists.js"),
        lambda request: static("admin_ext/named.js"),
    ],
    "DASHBOARD_CALLBACK": "opsadmin.dashboard.dashboard",
    "COMMAND": {"search_models": True},
    "SIDEBAR": {"show_search": False, "command_search": True, "navigation": "opsadmin.navigation.sidebar"},
    "COLORS": {
        "primary": {
            "50": "oklch(97.1% .014 230)",
            "100": "oklch(93.6% .032 230)",
            "200": "oklch(88.1% .062 231)",
            "300": "oklch(80.3% .102 232)",
            "400": "oklch(70.5% .135 235)",
            "500": "oklch(60.9% .14 240)",
            "600": "oklch(51.5% .13 244)",
            "700": "oklch(44.5% .115 245)",
            "800": "oklch(39.1% .095 245)",
            "900": "oklch(35.2% .075 245)",
            "950": "oklch(26.5% .06 246)",
        }
    },
}

STATIC_URL = "static/"
STATIC_ROOT = env("STATIC_ROOT", default=str(DATA_DIR / "static"))
MEDIA_ROOT = env("MEDIA_ROOT", default=str(DATA_DIR / "files"))
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {"BACKEND": "whitenoise.storage.CompressedManifestStaticFilesStorage"},
}
# Uploads: the web stores them and a worker reads them.
DATA_UPLOAD_MAX_NUMBER_FIELDS = 10_000
FILE_UPLOAD_PERMISSIONS = 0o600
UPLOAD_MAX_BYTES = env.int("UPLOAD_MAX_BYTES", default=250 * 1024 * 1024)
# What reading one workbook may cost; `admin_ext.transfers.reading.Limits` says what each means.
READER_LIMITS = {
    "memory_mb": env.int("READER_MEMORY_MB", default=1024),
    "cpu_seconds": env.int("READER_CPU_SECONDS", default=60),
    "wait_seconds": env.int("READER_WAIT_SECONDS", default=60),
    "packed_mb": env.int("READER_PACKED_MB", default=256),
    "inflated_mb": env.int("READER_INFLATED_MB", default=512),
    "entries": env.int("READER_ENTRIES", default=10_000),
    "ratio": env.int("READER_RATIO", default=200),
}

EMAIL_CONFIG = env.email_url("EMAIL_URL", default="consolemail://")
vars().update(EMAIL_CONFIG)
# Where people reach the product, for links in mails.
SITE_URL = env("SITE_URL", default="http://localhost:8000")
DEFAULT_FROM_EMAIL = env("DEFAULT_FROM_EMAIL", default="opsadmin@localhost")

# -- Seals: the private key is read by the sealer alone; the checkpoints belong where no database administrator writes. --
AUDIT_SEALING_KEY_FILE = env("AUDIT_SEALING_KEY_FILE", default=str(DATA_DIR / "audit" / "sealing.pem"))
AUDIT_CHECKPOINT_DIR = env("AUDIT_CHECKPOINT_DIR", default=str(DATA_DIR / "audit" / "published"))
AUDIT_SEALING_PUBLIC_KEY_FILE = env(
    "AUDIT_SEALING_PUBLIC_KEY_FILE", default=str(Path(AUDIT_CHECKPOINT_DIR) / "public_key.pem")
)
# Seconds after which a row that is not sealed is an alarm.
SEAL_LAG_ALARM = env.int("SEAL_LAG_ALARM", default=60)
# Days after which an act that asks for a review and has none is overdue.
REVIEW_DAYS = env.int("REVIEW_DAYS", default=30)
# After how many minutes looking as somebody else ends by itself.
IMPERSONATION_MINUTES = env.int("IMPERSONATION_MINUTES", default=30)
# For how long an elevated session may last; never more than an hour.
ELEVATION_MINUTES = env.int("ELEVATION_MINUTES", default=30)
# What a stranger must send to read /metrics; without it only this machine may.
METRICS_TOKEN = os.environ.get("METRICS_TOKEN", "")

# A bulk change of more rows than this is applied only when their number was typed.
BULK_CONFIRM_ROWS = env.int("BULK_CONFIRM_ROWS", default=1000)

# -- Celery only wakes workers; the job row is the truth. --
CELERY_BROKER_URL = env("CELERY_BROKER_URL", default="atomicfs://localhost")
CELERY_TASK_IGNORE_RESULT = True
CELERY_TASK_ACKS_LATE = True
CELERY_WORKER_PREFETCH_MULTIPLIER = 1
CELERY_WORKER_SOFT_SHUTDOWN_TIMEOUT = 30
CELERY_WORKER_HIJACK_ROOT_LOGGER = False
CELERY_BROKER_CONNECTION_RETRY_ON_STARTUP = True
CELERY_TASK_DEFAULT_QUEUE = "opsadmin"
CELERY_BEAT_SCHEDULE_FILENAME = str(DATA_DIR / "beat-schedule")
CELERY_BEAT_SCHEDULE = {
    "sweep-jobs": {"task": "jobs.sweep", "schedule": 10.0},
    "dispatch-schedules": {"task": "jobs.dispatch_schedules", "schedule": 20.0},
    "remove-expired-files": {"task": "transfers.remove_expired", "schedule": 3600.0},
}
CELERY_BROKER_TRANSPORT_OPTIONS = (
    {
        "data_folder_in": str(DATA_DIR / "broker"),
        "data_folder_out": str(DATA_DIR / "broker"),
        "control_folder": str(DATA_DIR / "broker-control"),
        "polling_interval": 0.1,
    }
    if CELERY_BROKER_URL.startswith("atomicfs")
    else {"visibility_timeout": 6 * 3600, "socket_timeout": 30, "socket_keepalive": True, "health_check_interval": 25}
    if CELERY_BROKER_URL.startswith("redis")
    else {}
)
JOB_LEASE_SECONDS = env.int("JOB_LEASE_SECONDS", default=30)

LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {"line": {"format": "{asctime} {levelname} {name} {message}", "style": "{"}},
    "handlers": {"console": {"class": "logging.StreamHandler", "formatter": "line"}},
    "root": {"handlers": ["console"], "level": env("LOG_LEVEL", default="INFO")},
    "loggers": {
        "django.request": {"level": "ERROR"},
        "axes": {"level": "WARNING"},
        # The sweeper runs every ten seconds and has nothing to say about it.
        "celery.worker.strategy": {"level": "WARNING"},
        "celery.app.trace": {"level": "WARNING"},
    },
}
