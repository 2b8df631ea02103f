"""Who logs in to PostgreSQL: one address, three roles.

`opsadmin_owner` owns every table and migrates. `opsadmin_app` runs the web, the worker and the tests: it may
read and write the business, read the record, and append to it only through the owner's triggers. `opsadmin_sealer`
reads the record and appends seals.

`DATABASE_URL` names server and database. When its user is none of the roles, it is the login that sets things up
(it may create roles and databases); the roles are then derived from it. In production `DATABASE_URL` is the
app role's own login, `DATABASE_OWNER_URL` is given only to the process that migrates and `DATABASE_SEALER_URL` only to
the sealer.

The roles' passwords are derived too, unless `DATABASE_OWNER_PASSWORD`, `DATABASE_APP_PASSWORD` and
`DATABASE_SEALER_PASSWORD` name them.
"""

from __future__ import annotations

import hashlib
import hmac
import os
from urllib.parse import quote, unquote, urlsplit, urlunsplit

OWNER = "opsadmin_owner"
APP = "opsadmin_app"
SEALER = "opsadmin_sealer"
ROLES = (OWNER, APP, SEALER)
_PASSWORD_VARIABLES = {
    OWNER: "DATABASE_OWNER_PASSWORD",
    APP: "DATABASE_APP_PASSWORD",
    SEALER: "DATABASE_SEALER_PASSWORD",
}


def user_of(url: str) -> str:
    """The user name in a database URL, '' where it names none."""
    return unquote(urlsplit(url).username or "")


def as_role(url: str, role: str) -> str:
    """The same server and database, logged in as `role` with its own password."""
    parts = urlsplit(url)
    if user_of(url) == role:
        return url
    password = role_password(url, role)
    login = f"{quote(role)}:{quote(password, safe='')}" if password else quote(role)
    address = parts.netloc.rpartition("@")[2]
    return urlunsplit(parts._replace(netloc=f"{login}@{address}"))


def role_password(url: str, role: str) -> str | None:
    """The password that set-up gives to `role` on this server; None where none is asked for (trust, peer).

    It is the one that the environment names, else derived from the set-up login's: one variable is enough to reach a
    server that asks for passwords.
    """
    if named := os.environ.get(_PASSWORD_VARIABLES[role]):
        return named
    secret = urlsplit(url).password
    if not secret:
        return None
    return hmac.new(unquote(secret).encode(), role.encode(), hashlib.sha256).hexdigest()
