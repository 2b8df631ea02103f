"""What stands where a related row is that the person may not see."""

from __future__ import annotations

NOT_VISIBLE = "— not visible to you —"


class NotVisible:
    """Stands where a related row is that the person may not see; it has a name and no page."""

    pk = ""

    def __str__(self) -> str:
        return NOT_VISIBLE
