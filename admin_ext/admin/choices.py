"""What a page shows again of a choice that was posted."""

from __future__ import annotations

from typing import Any


def shown_again(data: Any, initial: Any) -> Any:
    """For the `bound_data` of fields that choose rows: keys as they came, and nothing in the place of what is none.

    Django's widgets ask the database for the names of whatever was posted, and fail on what is no key.
    """
    if isinstance(data, list | tuple):
        return [each for each in data if is_key(each)]
    return data if is_key(data) else None


def is_key(value: Any) -> bool:
    """Whether what was posted can be a row's key: digits, and no more than the database counts to."""
    text = str(value)
    return text.isascii() and text.isdecimal() and len(text) < 19
