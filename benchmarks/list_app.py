"""The product's web server with a hundred rows on a page of orders, as `gunicorn benchmarks.list_app:application`."""

from opsadmin.wsgi import application  # noqa: F401  isort: skip

from apps.orders.admin import OrderAdmin

OrderAdmin.list_per_page = 100
