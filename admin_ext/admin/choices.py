"""What a page shows again of a choice that was posted."""

from __future__ import annotations

from typing import Any

# The most digits that a key has.
DIGITS = 19


def shown_again(data: Any, initial: Any) -> Any:
    """For the `bound_data` of fields that choose rows: keys as they came, and nothing in the place of what is none.

    Django's widgets ask the database for the names of whatever was posted, and fail on what is no key.
    """
    if isinstance(data, list | tuple):
        return [each for each in data if _is_key(each)]
    return data if _is_key(data) else None


def _is_key(value: Any) -> bool:
    text = str(value)
    return text.isascii() and text.isdigit() and len(text) <= DIGITS
