"""Who logs in to PostgreSQL: one address, two roles.

`opsadmin_owner` owns every table and migrates. `opsadmin_app` runs the web, the worker and the tests: it may
read and write the business, read the record, and append to it only through the owner's triggers.

`DATABASE_URL` names server and database. When its user is neither role, it is the login that sets things up
(it may create roles and databases); the two roles are then derived from it. In production `DATABASE_URL` is the
app role's own login and `DATABASE_OWNER_URL` is given only to the process that migrates.
"""

from __future__ import annotations

import hashlib
import hmac
from urllib.parse import quote, unquote, urlsplit, urlunsplit

OWNER = "opsadmin_owner"
APP = "opsadmin_app"


def user_of(url: str) -> str:
    """The user name in a database URL, '' where it names none."""
    return unquote(urlsplit(url).username or "")


def as_role(url: str, role: str) -> str:
    """The same server and database, logged in as `role`.

    A URL without a password (trust or peer authentication) stays without one. Otherwise the role's password is
    derived from the set-up login's, so that one variable is enough to reach a server that asks for passwords.
    """
    parts = urlsplit(url)
    if user_of(url) == role:
        return url
    password = f":{role_password(url, role)}" if parts.password else ""
    address = parts.netloc.rpartition("@")[2]
    return urlunsplit(parts._replace(netloc=f"{quote(role)}{password}@{address}"))


def role_password(url: str, role: str) -> str | None:
    """The password that set-up gives to `role` on this server; None where the URL carries none."""
    secret = urlsplit(url).password
    if not secret:
        return None
    return hmac.new(unquote(secret).encode(), role.encode(), hashlib.sha256).hexdigest()
