"""What every request passes through."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.conf import settings
from django.contrib.sessions.models import Session
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from opsadmin.middleware import IdleSessionMiddleware
from tests.factories import UserFactory


def kept_a_while_ago(client: Client) -> None:
    """As if the last page that this person asked for were more than a minute old."""
    session = client.session
    session[IdleSessionMiddleware.KEPT] -= 61
    session.save()


@pytest.fixture
def anna(db: Any) -> Client:
    client = Client()
    client.force_login(UserFactory(is_superuser=True))
    client.get("/")
    return client


def stored(client: Client) -> Session:
    return Session.objects.get(pk=client.session.session_key)


class TestIdleSession:
    def test_a_page_writes_nothing_while_its_session_was_kept_a_moment_ago(self, anna: Client) -> None:
        before = stored(anna).expire_date
        with CaptureQueriesContext(connection) as asked:
            response = anna.get("/")
        assert not [each["sql"] for each in asked if "UPDATE" in each["sql"]]
        assert stored(anna).expire_date == before
        assert settings.SESSION_COOKIE_NAME not in response.cookies

    def test_work_moves_its_end_on_and_tells_the_browser(self, anna: Client) -> None:
        kept_a_while_ago(anna)
        before = stored(anna).expire_date
        response = anna.get("/")
        assert stored(anna).expire_date > before
        assert response.cookies[settings.SESSION_COOKIE_NAME]["max-age"] == settings.SESSION_COOKIE_AGE

    def test_doing_nothing_ends_it(self, anna: Client) -> None:
        Session.objects.update(expire_date=stored(anna).expire_date - timedelta(seconds=settings.SESSION_COOKIE_AGE))
        assert anna.get("/").status_code == 302

    def test_nobody_gets_a_session_by_looking(self, db: Any) -> None:
        Client().get("/login/")
        assert not Session.objects.exists()
