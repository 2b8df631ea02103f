from django.urls import path

from tests.stock.admin import site

urlpatterns = [path("admin/", site.urls)]
