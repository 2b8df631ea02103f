"""Selections that are too long for an address, kept with the session under a short token."""

from __future__ import annotations

import secrets
from typing import Any

from django.core import signing
from django.http import HttpRequest

from admin_ext.filtering.selection import Selection

SALT = "opsadmin.selection"
# Servers refuse addresses of more than some 4,000 characters.
LONGEST = 1500
MOST_KEPT = 5
_PLACE = "kept_selections"


def keep(request: HttpRequest, selection: Selection) -> str:
    """Keep a selection for this session; returns its token. The oldest go when there are too many."""
    kept = dict(request.session.get(_PLACE, {}))
    token = secrets.token_urlsafe(9)
    kept[token] = selection.to_json()
    request.session[_PLACE] = dict(list(kept.items())[-MOST_KEPT:])
    return token


def kept(request: HttpRequest, token: str) -> Selection | None:
    """The selection that was kept under a token of this session."""
    stored: Any = request.session.get(_PLACE, {}).get(token)
    return Selection.from_json(stored) if stored else None


def in_address(request: HttpRequest, selection: Selection) -> str:
    """A selection for an address: signed, or as the token under which it is kept."""
    signed = signing.dumps(selection.to_json(), salt=SALT)
    return signed if len(signed) <= LONGEST else f"kept.{keep(request, selection)}"


def from_address(request: HttpRequest, text: str) -> Selection:
    """What `in_address` said. Raises signing.BadSignature."""
    if text.startswith("kept."):
        found = kept(request, text.removeprefix("kept."))
        if found is None:
            raise signing.BadSignature("No such selection is kept.")
        return found
    return Selection.from_json(signing.loads(text, salt=SALT))
