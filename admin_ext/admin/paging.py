"""The pages of a list and their addresses: by number at the beginning, by key everywhere.

`p=3` is a page by number, up to the hundredth; `p=last` the last; `p=a.…` and `p=b.…` what comes after a row and before
it. The place stands in the address encrypted: it holds values of columns, also of related rows that the person may not
see, and nobody can ask about places of their own making.
"""

from __future__ import annotations

import base64
import binascii
import dataclasses
import hashlib
import json
from typing import Any

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESSIV
from django.conf import settings
from django.core.paginator import Paginator
from django.utils.crypto import salted_hmac

from admin_ext.filtering.keyset import NoKeys, NoSuchPlace, Ordering

LAST_NUMBER = 100
LAST, AFTER, BEFORE = "last", "a.", "b."
_LONGEST = 4000


class KeysetPaginator(Paginator):
    """Tells Django's and unfold's templates which template shows the pages."""

    template_name = "admin_ext/pagination.html"
    count = 0


@dataclasses.dataclass
class Page:
    """Some rows of a list, and the values of `p` that lead on from them; "" where there is nothing."""

    rows: list[Any]
    begins_after: int | None = 0
    """How many rows come before; as far as known from the way here."""
    counted: bool = False
    """Whether that number was counted just now."""
    previous: str = ""
    next: str = ""
    said: str = ""
    """What the person is to be told about what they asked for."""

    @property
    def number(self) -> int | None:
        """Which row of the list the first one is."""
        return self.begins_after + 1 if self.begins_after is not None and self.rows else None

    @property
    def number_told(self) -> str:
        return f"{self.number or 0:,}"

    @property
    def ends_at_told(self) -> str:
        return f"{self.ends_at or 0:,}"

    @property
    def ends_at(self) -> int | None:
        return self.begins_after + len(self.rows) if self.begins_after is not None else None


def page_of(queryset: Any, ordering: list[Any], asked: str, size: int) -> Page:
    """The page of `queryset` that an address asks for with `p`; the first for what cannot be understood."""
    try:
        keys = Ordering.of(queryset, ordering)
        if asked == LAST:
            return _backwards(keys, queryset, None, size, None)
        if asked.startswith((AFTER, BEFORE)):
            place, before = _read(asked[len(AFTER) :], keys)
            if asked.startswith(AFTER):
                return _forwards(keys, queryset, place, size, before)
            return _backwards(keys, queryset, place, size, before)
        return _numbered(keys, queryset, asked, size)
    except NoSuchPlace:
        page = _numbered(keys, queryset, "1", size)
        page.said = "That page is not known any more. This is the first."
        return page
    except NoKeys:
        return _without_keys(queryset.order_by(*ordering), asked, size)


def _numbered(keys: Ordering, queryset: Any, asked: str, size: int) -> Page:
    number, said = _number(asked)
    start = (number - 1) * size
    rows = list(keys.marked(queryset)[start : start + size + 1])
    if not rows and number > 1:
        page = _backwards(keys, queryset, None, size, None)
        page.said = "There are fewer pages. This is the last."
        return page
    page = _told(keys, rows[:size], start, more_before=start > 0, more_after=len(rows) > size)
    page.counted, page.said = True, said
    return page


def _forwards(keys: Ordering, queryset: Any, place: list[Any], size: int, before: int | None) -> Page:
    rows = keys.after(queryset, place, size + 1)
    if not rows:
        page = _backwards(keys, queryset, None, size, None)
        page.said = "The rows that came next are gone. This is the last page."
        return page
    return _told(keys, rows[:size], before, more_before=True, more_after=len(rows) > size)


def _backwards(keys: Ordering, queryset: Any, place: list[Any] | None, size: int, before: int | None) -> Page:
    back = keys.reversed()
    rows = back.after(queryset, place, size + 1) if place else list(back.marked(queryset)[: size + 1])
    if not rows and place:
        page = _numbered(keys, queryset, "1", size)
        page.said = "The rows that came before are gone. This is the first page."
        return page
    start = None if before is None else max(before - len(rows[:size]), 0)
    shown = rows[size - 1 :: -1] if len(rows) > size else rows[::-1]
    return _told(keys, shown, start, more_before=len(rows) > size, more_after=place is not None)


def _told(keys: Ordering, rows: list[Any], start: int | None, *, more_before: bool, more_after: bool) -> Page:
    """A page with the ways on from it."""
    if not rows:
        return Page(rows, 0)
    stop = None if start is None else start + len(rows)
    return Page(
        rows,
        start,
        previous=BEFORE + _written(keys, keys.place_of(rows[0]), start) if more_before else "",
        next=AFTER + _written(keys, keys.place_of(rows[-1]), stop) if more_after else "",
    )


def _without_keys(queryset: Any, asked: str, size: int) -> Page:
    """Of an ordering without places: by number alone."""
    number, said = _number(asked)
    start = (number - 1) * size
    rows = list(queryset[start : start + size + 1])
    return Page(
        rows[:size],
        start,
        counted=True,
        previous=str(number - 1) if number > 1 else "",
        next=str(number + 1) if len(rows) > size and number < LAST_NUMBER else "",
        said=said,
    )


def _number(asked: str) -> tuple[int, str]:
    if not asked.isascii() or not asked.isdigit():
        return 1, ""
    number = int(asked[:9])
    if number > LAST_NUMBER:
        return (
            LAST_NUMBER,
            f"Numbers lead as far as page {LAST_NUMBER}. Go on with Next, or begin at the end with Last.",
        )
    return max(number, 1), ""


# -- addresses -------------------------------------------------------------------------------------


def _written(keys: Ordering, place: list[Any], before: int | None) -> str:
    told = json.dumps([place, before], separators=(",", ":"), ensure_ascii=False).encode()
    sealed = AESSIV(_secret(settings.SECRET_KEY)).encrypt(told, [_about(keys)])
    return base64.urlsafe_b64encode(sealed).decode().rstrip("=")


def _read(text: str, keys: Ordering) -> tuple[list[Any], int | None]:
    """Raises NoSuchPlace for what was not written for this ordering."""
    if len(text) > _LONGEST or not text.isascii():
        raise NoSuchPlace
    try:
        sealed = base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
    except (binascii.Error, ValueError):
        raise NoSuchPlace from None
    for secret in (settings.SECRET_KEY, *settings.SECRET_KEY_FALLBACKS):
        try:
            place, before = json.loads(AESSIV(_secret(secret)).decrypt(sealed, [_about(keys)]))
        except (InvalidTag, ValueError):
            continue
        return place, before
    raise NoSuchPlace


def _about(keys: Ordering) -> bytes:
    return hashlib.sha256(f"{keys.model._meta.label} {keys.written()}".encode()).digest()


def _secret(secret: str) -> bytes:
    return salted_hmac("opsadmin.paging", "place", secret=secret, algorithm="sha256").digest()
