"""The product's settings with the benchmarks' own tables beside its own."""

from opsadmin.settings.test import *  # noqa: F403
from opsadmin.settings.test import INSTALLED_APPS

INSTALLED_APPS = [*INSTALLED_APPS, "benchmarks.recordings"]
