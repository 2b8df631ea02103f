"""The zone of a person, where no request says it."""

from __future__ import annotations

import zoneinfo
from typing import Any


def zone_of(actor: Any) -> zoneinfo.ZoneInfo:
    """The zone in which a person reads and writes instants."""
    return zoneinfo.ZoneInfo(getattr(actor, "time_zone", "") or "UTC")
