"""Field policies as data: `fixtures/field_policies.json` says for each role which fields it meets otherwise."""

from __future__ import annotations

import json
from pathlib import Path

from django.conf import settings

from admin_ext.access.models import FieldPolicy
from apps.accounts.models import Role

POLICIES = Path(settings.BASE_DIR) / "fixtures" / "field_policies.json"


def load_policies(roles: dict[str, Role]) -> None:
    """Make the policies that the file names; call inside a change set with a reason."""
    for name, fields in json.loads(POLICIES.read_text(encoding="utf-8")).items():
        for field, kind in fields.items():
            model, _, column = field.partition(":")
            policy = FieldPolicy(role_id=roles[name].pk, model=model, field=column, kind=kind)
            policy.full_clean()
            policy.save()
