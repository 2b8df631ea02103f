"""Saved views as data: `fixtures/views.json`, each with its owner and the roles that it is shared with."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from django.conf import settings
from django.contrib.auth.models import Permission
from django.http import QueryDict

from admin_ext.filtering.list_state import ListState
from admin_ext.filtering.models import SavedView

VIEWS = Path(settings.BASE_DIR) / "fixtures" / "views.json"


def load_views(people: dict[str, Any], roles: dict[str, Any]) -> list[SavedView]:
    """Make or bring up to date every view of the file; call inside a change set."""
    views = []
    seen = Permission.objects.get(content_type__app_label="filtering", codename="view_savedview")
    for data in json.loads(VIEWS.read_text(encoding="utf-8")):
        named = {"owner": people[data["owner"]], "model": data["list"], "name": data["name"]}
        view = SavedView.objects.filter(**named).first() or SavedView(**named)
        ListState.of_address(QueryDict(data["address"]).lists(), not_filters=()).put_into(view)
        view.full_clean()
        view.save()
        for role in data["roles"]:
            SavedView.group_grants_model.objects.get_or_create(
                content_object=view, permission=seen, group_id=roles[role].pk
            )
        views.append(view)
    return views
