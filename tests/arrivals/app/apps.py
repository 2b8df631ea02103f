from django.apps import AppConfig


class ArrivalsConfig(AppConfig):
    name = "apps.arrivals"
    label = "arrivals"
