"""A person's own machine: the embedded defaults of `./dev demo`."""

from __future__ import annotations

from opsadmin.settings.base import *  # noqa: F403
from opsadmin.settings.base import SECRET_KEY, env

DEBUG = env.bool("DEBUG", default=False)
# Good enough on one's own machine; production refuses to start with it. `./dev` makes a real one per data directory.
SECRET_KEY = SECRET_KEY or "not-a-secret-development-only"
