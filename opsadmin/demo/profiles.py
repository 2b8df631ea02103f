"""Import profiles as data: `fixtures/profiles.json`. They are also what a new user learns mapping from."""

from __future__ import annotations

import json
from pathlib import Path

from django.conf import settings

from admin_ext.transfers.models import Profile

PROFILES = Path(settings.BASE_DIR) / "fixtures" / "profiles.json"


def load_profiles() -> list[Profile]:
    """Make or bring up to date every profile of the file; call inside a change set."""
    profiles = []
    for data in json.loads(PROFILES.read_text(encoding="utf-8")):
        profile = Profile.objects.filter(name=data["name"]).first() or Profile(name=data["name"])
        profile.title, profile.resource, profile.mapping = data["title"], data["resource"], data["mapping"]
        profile.full_clean()
        profile.save()
        profiles.append(profile)
    return profiles
