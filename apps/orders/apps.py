from django.apps import AppConfig


class OrdersConfig(AppConfig):
    name = "apps.orders"
    label = "orders"
    verbose_name = "Orders"

    def ready(self) -> None:
        from admin_ext.access.scope_keys import announce

        announce("customers_customer", "orders_follow_region")
        announce("customers_customer", "returns_follow_region")
