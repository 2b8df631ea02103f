"""A person's grid without its browser: what the page knows, and what it does with the answer to a save."""

from __future__ import annotations

import html
import json
import re
from typing import Any

from django.urls import reverse


def address(model: Any, end: str = "") -> str:
    return reverse(f"admin:{model._meta.app_label}_{model._meta.model_name}_grid{end}")


class Grid:
    """What `grid.js` keeps: of each row the version and the values that are right, and what was typed over them."""

    def __init__(self, client: Any, model: Any, query: str = "") -> None:
        self.client, self.url = client, address(model)
        page = client.get(self.url + query)
        assert page.status_code == 200, page.status_code
        self.page = page.text
        self.versions: dict[int, int] = {}
        self.was: dict[tuple[int, str], str] = {}
        self.editable: dict[tuple[int, str], bool] = {}
        self.mine: dict[tuple[int, str], str] = {}
        self.theirs: dict[tuple[int, str], dict[str, Any]] = {}
        for key, version, row in re.findall(
            r'<tr role="row" data-key="(\d+)" data-version="(\d+)">(.*?)</tr>', self.page, re.S
        ):
            self.versions[int(key)] = int(version)
            for tag in re.findall(r"<td[^>]*>", row):
                name, value = (re.search(rf'data-{each}="([^"]*)"', tag)[1] for each in ("column", "value"))
                self.was[int(key), name] = html.unescape(value)
                self.editable[int(key), name] = "aria-readonly" not in tag

    @property
    def keys(self) -> list[int]:
        return list(self.versions)

    @property
    def columns(self) -> list[str]:
        return list(dict.fromkeys(name for _, name in self.was))

    def shows(self, row: Any, name: str) -> str:
        return self.mine.get((row.pk, name), self.was[row.pk, name])

    def type(self, row: Any, **values: str) -> None:
        for name, value in values.items():
            if value == self.was[row.pk, name]:
                self.put_back((row.pk, name))
            else:
                self.mine[row.pk, name] = value

    def put_back(self, cell: tuple[int, str]) -> None:
        self.mine.pop(cell, None)
        self.theirs.pop(cell, None)

    def save(self, *, reason: str = "") -> dict[str, Any]:
        assert not self.theirs, "the page asks to choose first"
        rows: dict[int, dict[str, str]] = {}
        for (key, name), value in self.mine.items():
            rows.setdefault(key, {})[name] = value
        sent = [{"key": key, "version": self.versions[key], "cells": cells} for key, cells in rows.items()]
        answer = self.send({"rows": sent, "reason": reason})
        self._take(answer)
        return answer

    def send(self, sent: Any) -> dict[str, Any]:
        body = sent if isinstance(sent, bytes) else json.dumps(sent)
        response = self.client.post(self.url, body, content_type="application/json")
        assert response.status_code == 200, response.status_code
        return response.json()

    def _take(self, answer: dict[str, Any]) -> None:
        refused = any(answer[each] for each in ("error", "reason", "errors", "conflicts"))
        for key, now in answer["rows"].items():
            self.versions[int(key)] = now["version"]
            for name, cell in now["cells"].items():
                self.was[int(key), name] = cell["value"]
        self.theirs = {
            (int(key), name): theirs for key, cells in answer["conflicts"].items() for name, theirs in cells.items()
        }
        self.mine = {cell: mine for cell, mine in self.mine.items() if refused and mine != self.was[cell]}
