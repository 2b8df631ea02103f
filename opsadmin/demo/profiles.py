"""Import profiles as data: `fixtures/profiles.json`, and a file for each long one in `fixtures/profiles/`.

They are also what a new user learns mapping from.
"""

from __future__ import annotations

import json
from pathlib import Path

from django.conf import settings

from admin_ext.transfers.models import Profile

FIXTURES = Path(settings.BASE_DIR) / "fixtures"


def load_profiles() -> list[Profile]:
    """Make or bring up to date every profile of the files; call inside a change set."""
    profiles = []
    told = json.loads((FIXTURES / "profiles.json").read_text(encoding="utf-8"))
    told += [json.loads(path.read_text(encoding="utf-8")) for path in sorted((FIXTURES / "profiles").glob("*.json"))]
    for data in told:
        profile = Profile.objects.filter(name=data["name"]).first() or Profile(name=data["name"])
        profile.title, profile.resource, profile.mapping = data["title"], data["resource"], data["mapping"]
        profile.full_clean()
        profile.save()
        profiles.append(profile)
    return profiles
