"""The composition root: settings, site, navigation, urls, celery. The only place that knows everything."""

from opsadmin.celery import app as celery_app

__all__ = ["celery_app"]
