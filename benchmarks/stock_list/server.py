"""The stock packages put together, showing the very tables: `gunicorn benchmarks.stock_list.server:application`.

unfold's, guardian's and simple-history's ModelAdmin as their documentation says, with the nine columns of our list of
orders and the middleware that `startproject` writes down. Who asks has a session and holds every right there is, so that
no right has to be looked up; it knows no scopes.
"""

from __future__ import annotations

import os

import environ


def _configure() -> None:
    import django
    from django.conf import settings

    settings.configure(
        DATABASES={"default": environ.Env.db_url_config(os.environ["DATABASE_URL"])},
        SECRET_KEY="benchmark",
        ALLOWED_HOSTS=["*"],
        ROOT_URLCONF="benchmarks.stock_list.server",
        INSTALLED_APPS=[
            "unfold",
            "unfold.contrib.guardian",
            "unfold.contrib.simple_history",
            "django.contrib.auth",
            "django.contrib.contenttypes",
            "django.contrib.admin",
            "django.contrib.messages",
            "django.contrib.sessions",
            "django.contrib.staticfiles",
            "simple_history",
            "guardian",
            "benchmarks.stock_list",
        ],
        MIDDLEWARE=[
            "django.middleware.security.SecurityMiddleware",
            "django.contrib.sessions.middleware.SessionMiddleware",
            "django.middleware.common.CommonMiddleware",
            "django.middleware.csrf.CsrfViewMiddleware",
            "django.contrib.auth.middleware.AuthenticationMiddleware",
            "django.contrib.messages.middleware.MessageMiddleware",
            "django.middleware.clickjacking.XFrameOptionsMiddleware",
        ],
        AUTHENTICATION_BACKENDS=[
            "django.contrib.auth.backends.ModelBackend",
            "guardian.backends.ObjectPermissionBackend",
        ],
        TEMPLATES=[
            {
                "BACKEND": "django.template.backends.django.DjangoTemplates",
                "APP_DIRS": True,
                "OPTIONS": {
                    "context_processors": [
                        "django.template.context_processors.request",
                        "django.contrib.auth.context_processors.auth",
                        "django.contrib.messages.context_processors.messages",
                    ]
                },
            }
        ],
        STATIC_URL="static/",
        USE_TZ=True,
        DEFAULT_AUTO_FIELD="django.db.models.BigAutoField",
    )
    django.setup()


_configure()

from django.contrib import admin  # noqa: E402
from django.core.wsgi import get_wsgi_application  # noqa: E402
from django.db import models  # noqa: E402
from django.urls import path  # noqa: E402
from guardian.admin import GuardedModelAdmin  # noqa: E402
from simple_history.admin import SimpleHistoryAdmin  # noqa: E402
from unfold.admin import ModelAdmin  # noqa: E402
from unfold.decorators import display  # noqa: E402

STATES = {"draft": "info", "confirmed": "primary", "allocated": "warning", "shipped": "success", "cancelled": "danger"}


class Customer(models.Model):
    code = models.CharField(max_length=20)
    name = models.CharField(max_length=200)

    class Meta:
        app_label, managed, db_table = "stock_list", False, "customers_customer"

    def __str__(self) -> str:
        return f"{self.code} {self.name}"


class Warehouse(models.Model):
    name = models.CharField(max_length=200)

    class Meta:
        app_label, managed, db_table = "stock_list", False, "inventory_warehouse"

    def __str__(self) -> str:
        return self.name


class Order(models.Model):
    number = models.CharField(max_length=30)
    customer = models.ForeignKey(Customer, on_delete=models.PROTECT)
    warehouse = models.ForeignKey(Warehouse, on_delete=models.PROTECT, null=True)
    state = models.CharField(max_length=10, choices=[(each, each.capitalize()) for each in (*STATES, "closed")])
    ordered_on = models.DateField()
    required_on = models.DateField(null=True)
    shipped_on = models.DateField(null=True)
    ship_to_name = models.CharField(max_length=200)
    net_total = models.DecimalField(max_digits=18, decimal_places=4)
    currency = models.CharField(max_length=3)

    class Meta:
        app_label, managed, db_table = "stock_list", False, "orders_order"
        ordering = ["-ordered_on", "-id"]

    def __str__(self) -> str:
        return self.number


@admin.register(Order)
class OrderAdmin(SimpleHistoryAdmin, GuardedModelAdmin, ModelAdmin):
    list_display = [
        "number", "shown_customer", "shown_state", "ordered_on", "required_on", "shipped_on", "late", "shown_warehouse",
        "shown_total",
    ]  # fmt: skip
    list_select_related = ["customer", "warehouse"]
    list_filter = ["state"]
    search_fields = ["number", "ship_to_name"]
    list_per_page = 100

    @display(description="customer", ordering="customer__code")
    def shown_customer(self, order: Order) -> str:
        return str(order.customer)

    @display(description="state", ordering="state", label=STATES)
    def shown_state(self, order: Order) -> tuple[str, str]:
        return order.state, order.get_state_display()

    @display(description="late", label={"late": "danger"})
    def late(self, order: Order) -> None:
        return None

    @display(description="warehouse", ordering="warehouse__name")
    def shown_warehouse(self, order: Order) -> str:
        return str(order.warehouse)

    @display(description="net total", ordering="net_total")
    def shown_total(self, order: Order) -> str:
        return f"{order.net_total:,.2f} {order.currency}"


urlpatterns = [path("", admin.site.urls)]
application = get_wsgi_application()
