"""Production refuses to start unsafe; every answer carries its headers; guessing passwords is closed."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest
from django.conf import settings
from django.urls import reverse

from apps.accounts.models import User
from tests.factories import UserFactory

SAFE = {
    "DJANGO_SETTINGS_MODULE": "opsadmin.settings.production",
    "SECRET_KEY": "kB7-" + "q9Zx3Vw5Lm1Np8Rt2Ys6Ud4Fg0Hj" * 2,
    "ALLOWED_HOSTS": "ops.example.com",
    "DATABASE_URL": "postgres://opsadmin_app@127.0.0.1/opsadmin",
}


def checked(**changed):
    return subprocess.run(
        [sys.executable, "manage.py", "check", "--deploy", "--fail-level", "WARNING"],
        cwd=settings.BASE_DIR,
        env={"PATH": os.environ["PATH"], "HOME": os.environ.get("HOME", "/"), **SAFE, **changed},
        capture_output=True,
        text=True,
        check=False,
    )


class TestProduction:
    def test_has_no_warnings_when_it_is_set_up_well(self):
        result = checked()
        assert result.returncode == 0, result.stderr

    @pytest.mark.parametrize(
        ("name", "value", "said"),
        [
            ("DEBUG", "1", "never runs with DEBUG"),
            ("SECRET_KEY", "", "at least 50 random characters"),
            ("SECRET_KEY", "not-a-secret-development-only", "at least 50 random characters"),
            ("ALLOWED_HOSTS", "*", "without a wildcard"),
            ("DATABASE_URL", "postgres://postgres@127.0.0.1/opsadmin", "must log in as opsadmin_app"),
        ],
    )
    def test_refuses_to_start(self, name, value, said):
        result = checked(**{name: value})
        assert result.returncode != 0
        assert said in result.stderr


@pytest.mark.django_db
class TestEveryAnswer:
    @pytest.mark.parametrize("address", ["/login/", "/healthz", "/nowhere/"])
    def test_carries_the_security_headers(self, client, address):
        headers = client.get(address, follow=False).headers
        policy = headers["Content-Security-Policy"]
        assert "default-src 'self'" in policy
        assert "frame-ancestors 'none'" in policy
        assert "object-src 'none'" in policy
        scripts = next(part for part in policy.split(";") if part.strip().startswith("script-src"))
        assert "unsafe-inline" not in scripts
        assert headers["X-Frame-Options"] == "DENY"
        assert headers["X-Content-Type-Options"] == "nosniff"
        assert headers["Referrer-Policy"] == "same-origin"
        assert "camera=()" in headers["Permissions-Policy"]


@pytest.mark.django_db
class TestAPageThatIsNotToBeHad:
    @pytest.mark.parametrize(
        ("address", "status", "said"),
        [("/nowhere/at/all/", 404, "There is nothing here"), ("/accounts/role/", 403, "You may not do this")],
    )
    def test_says_so_and_leads_back(self, client, address, status, said):
        client.force_login(UserFactory())
        response = client.get(address)
        assert response.status_code == status
        assert said in response.text
        assert 'href="/"' in response.text


@pytest.mark.django_db
class TestLoggingIn:
    def test_is_closed_after_five_wrong_passwords_for_that_name_and_address_alone(self, client, settings):
        settings.AXES_ENABLED = True
        for name in ("guessed", "other"):
            user = UserFactory(username=name)
            user.set_password("the right one")
            User.objects.filter(pk=user.pk).update(password=user.password)

        def log_in(name, password):
            return client.post(reverse("admin:login"), {"username": name, "password": password})

        for _ in range(5):
            log_in("guessed", "wrong")
        assert log_in("guessed", "the right one").status_code == 429
        assert log_in("other", "the right one").status_code == 302
