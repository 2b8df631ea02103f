"""How this process vouches for what it tells the database: who acts, who reads.

Claims are signed with a key that the processes of the product share with the owner of the database (`install_keys`);
the runtime role cannot read it. The parameters travel apart from the statement, so that no other session of the role
finds a signed claim in `pg_stat_activity`.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
import time
from collections.abc import Callable
from functools import cache
from typing import Any

import orjson
import psycopg
from django.conf import settings
from django.core.serializers.json import DjangoJSONEncoder
from django.db import DEFAULT_DB_ALIAS, connection, connections
from django.db.utils import DatabaseErrorWrapper

from admin_ext.audit.opening import open_with


def call_signed(function: str, purpose: str, claim: dict[str, Any]) -> Any:
    """Call a function of the database with a claim signed for `purpose`, and return what it returns."""
    said, signature = signed(purpose, claim)
    return call_unsigned(function, said.decode(), signature)


def open_signed(function: str, purpose: str, claim: dict[str, Any]) -> Callable[[], Any]:
    """As `call_signed`, for what a transaction opens with: the call is under way, what it returns is had by calling."""
    said, signature = signed(purpose, claim)
    hexadecimal = b"\\x" + signature.hex().encode()
    opening = open_with(connections[DEFAULT_DB_ALIAS], f"SELECT public.{function}($1, $2)", [said, hexadecimal])
    if opening is None:
        value = call_unsigned(function, said.decode(), signature)
        return lambda: value

    def returned() -> str:
        with DatabaseErrorWrapper(connection):
            return opening.value

    return returned


def signed(purpose: str, claim: dict[str, Any]) -> tuple[bytes, bytes]:
    """The claim as it is told to the database, and its signature."""
    said = as_json({**claim, "at": time.time()})
    return said, hmac.digest(application_keys()[0], purpose.encode() + b"|" + said, "sha256")


def call_unsigned(function: str, *arguments: Any) -> Any:
    """Call a function of the database with parameters bound by the server; raises Django's database errors."""
    connection.ensure_connection()
    marks = ", ".join(["%s"] * len(arguments))
    with DatabaseErrorWrapper(connection), psycopg.Cursor(connection.connection) as cursor:
        row = cursor.execute(f"SELECT public.{function}({marks})", arguments).fetchone()
    assert row is not None
    return row[0]


def as_json(said: dict[str, Any]) -> bytes:
    return orjson.dumps(said, default=DjangoJSONEncoder().default)


def application_keys() -> list[bytes]:
    """The key that signs, then those that are still believed while a secret is being changed."""
    named = settings.AUDIT_CONTEXT_KEYS or (settings.SECRET_KEY, *settings.SECRET_KEY_FALLBACKS)
    return [_derived(key) for key in named]


@cache
def _derived(secret: str) -> bytes:
    return hashlib.sha256(f"opsadmin context {secret}".encode()).digest()


def install_keys() -> None:
    """Give the database the keys by which it checks claims; as its owner. Its own key is made once."""
    from admin_ext.audit.models import ContextKey

    keys = [_padded(key) for key in application_keys()]
    known = list(ContextKey.objects.filter(purpose=ContextKey.Purpose.APPLICATION).order_by("id"))
    if [(bytes(key.inner_pad), bytes(key.outer_pad)) for key in known] != keys:
        ContextKey.objects.filter(purpose=ContextKey.Purpose.APPLICATION).delete()
        for inner, outer in keys:
            ContextKey.objects.create(purpose=ContextKey.Purpose.APPLICATION, inner_pad=inner, outer_pad=outer)
    if not ContextKey.objects.filter(purpose=ContextKey.Purpose.TRANSACTION).exists():
        inner, outer = _padded(secrets.token_bytes(32))
        ContextKey.objects.create(purpose=ContextKey.Purpose.TRANSACTION, inner_pad=inner, outer_pad=outer)


def _padded(key: bytes) -> tuple[bytes, bytes]:
    """The inner and outer pads of HMAC-SHA256 (RFC 2104) for a key of at most 64 bytes."""
    block = key.ljust(64, b"\0")
    return bytes(byte ^ 0x36 for byte in block), bytes(byte ^ 0x5C for byte in block)
