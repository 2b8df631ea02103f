"""Making a request, and putting its answer into one of the words of `expectations.py`."""

from __future__ import annotations

import dataclasses
import re
from typing import Any

from django.core import mail
from django.db import transaction
from django.test import Client
from django.urls import reverse

from tests.contracts.matrix.expectations import LOGIN, NO_SUCH_METHOD, NOT_THERE, OK, REFUSED, Case, may_know
from tests.contracts.matrix.people import Person
from tests.contracts.matrix.rows import CANARY, MISSING, World

# An id for each request; and how long the body is, which is compared itself.
LEFT_OUT = ("X-Request-ID", "Content-Length")
_CANARIES = re.compile(rf"{CANARY}\d{{5}}")
_TOKENS = re.compile(r'(csrfmiddlewaretoken" value|nonce|name="selection" value)="[^"]*"')
# Selections that pages carry on, and references to what was refused: the question, signed, short ones packed.
_SIGNED = re.compile(r"(?:\.?eyJ|\.eJ)[\w-]+(?::|%3A)[\w-]+(?::|%3A)[\w-]+")
# Pages say when they were made, to the second.
_CLOCK = re.compile(r"\d{4}-\d{2}-\d{2}T\d{2}:\d{2}(:\d{2})?|\d\d:\d\d(:\d\d)?")


@dataclasses.dataclass
class Answer:
    """What came back, and all of it that a person could read."""

    looks: str
    status: int
    location: str
    text: str

    def normal(self, *keys: int) -> tuple[Any, ...]:
        """Without what may differ between two rows that are both not there: what each is called, and the clock."""
        # What is signed first: inside of it may stand what looks like a clock.
        bare = _CLOCK.sub("", _TOKENS.sub("", _SIGNED.sub("", self.text)))
        names = re.compile("|".join(rf"\b{key}\b" for key in sorted(keys, reverse=True)))
        return self.status, names.sub("KEY", self.location), names.sub("KEY", bare)


class _Undone(Exception):
    """Takes back whatever a request did."""


class Asker:
    """Makes requests as people; each is undone."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.clients: dict[str, Client] = {}

    def ask(self, case: Case) -> Answer:
        client = self._client(case.person)
        method = getattr(client, case.method.lower())
        mail.outbox.clear()
        answer = None
        try:
            with transaction.atomic():
                cookies = client.cookies.copy()
                data = case.data or {}
                arguments = {"data": data} if case.method == "POST" else {}
                answer = _read(method(case.url, **arguments))
                raise _Undone
        except _Undone:
            client.cookies = cookies
        assert answer is not None
        return answer

    def leaked(self, case: Case, answer: Answer) -> list[str]:
        """Canaries in the answer that the person may not see."""
        told = []
        # What was in the question is no news.
        for canary in sorted(set(_CANARIES.findall(answer.text)) - set(_CANARIES.findall(case.url))):
            row, column = self.world.canaries[canary]
            if not may_know(case.person, row) or self.world.columns.get(canary) in case.person.unread:
                told.append(f"{row.model._meta.label}.{column} of the {row.state} row #{row.key} ({canary})")
        return told

    def _client(self, person: Person) -> Client:
        if person.name not in self.clients:
            client = self.clients[person.name] = Client(raise_request_exception=True)
            if person.user is not None:
                client.force_login(person.user)
        return self.clients[person.name]


def _read(response: Any) -> Answer:
    location = response.headers.get("Location", "")
    body = b"".join(response.streaming_content) if response.streaming else response.content
    for close in response._resource_closers:
        close()  # of a HEAD nobody reads the file
    headers = "\n".join(f"{name}: {value}" for name, value in response.headers.items() if name not in LEFT_OUT)
    # The messages are read as they were said: the cookie may be packed.
    said = getattr(getattr(response, "wsgi_request", None), "_messages", None)
    cookies = "\n".join(name for name in response.cookies if name != "sessionid")
    told = [str(each) for each in getattr(said, "_queued_messages", ())]
    cookies += "".join(f"\nsaid: {each}" for each in told)
    mails = "\n".join(f"{each.subject}\n{each.body}" for each in mail.outbox)
    text = "\n".join([headers, cookies, body.decode("utf-8", "replace"), mails])
    looks = _looks(response.status_code, location, told)
    return Answer(looks, response.status_code, location, text)


def _looks(status: int, location: str, told: list[str]) -> str:
    if status in (301, 302):
        if location.startswith(reverse("admin:login")):
            return LOGIN
        # What was done may lead back to the start as well: then nothing is said to be missing.
        missing = location == reverse("admin:index") and any("doesn’t exist" in each for each in told)
        return NOT_THERE if missing else OK
    words = {200: OK, 403: REFUSED, 404: NOT_THERE, 405: NO_SUCH_METHOD}
    return words.get(status, f"status {status}")


def names_key(case: Case) -> int:
    return case.row.key if case.row else MISSING
