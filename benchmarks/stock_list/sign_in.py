"""`python -m benchmarks.stock_list.sign_in`: prints the cookie of somebody who works with the stock packages.

Their people have a table of their own beside ours, made here if it is not there.
"""

from __future__ import annotations

from benchmarks.stock_list import server  # noqa: F401  isort: skip  configures Django

from django.conf import settings
from django.contrib.auth import BACKEND_SESSION_KEY, HASH_SESSION_KEY, SESSION_KEY
from django.contrib.auth.models import User
from django.contrib.sessions.backends.db import SessionStore
from django.db import connection


def main() -> None:
    if User._meta.db_table not in connection.introspection.table_names():
        with connection.schema_editor() as editor:
            editor.create_model(User)
    person, _ = User.objects.get_or_create(username="stock", is_staff=True, is_superuser=True)
    session = SessionStore()
    session[SESSION_KEY] = str(person.pk)
    session[BACKEND_SESSION_KEY] = settings.AUTHENTICATION_BACKENDS[0]
    session[HASH_SESSION_KEY] = person.get_session_auth_hash()
    session.create()
    print(f"{settings.SESSION_COOKIE_NAME}={session.session_key}")


if __name__ == "__main__":
    main()
