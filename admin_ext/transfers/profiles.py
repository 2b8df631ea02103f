"""Keeping a mapping under a name, for the next file of its kind. Each saving is a version; older ones stay readable."""

from __future__ import annotations

from typing import Any

from django.core.exceptions import ValidationError

from admin_ext.access.rights import NotPermitted, can
from admin_ext.audit.context import change_set
from admin_ext.audit.models import Door
from admin_ext.services import Refused
from admin_ext.transfers.models import Profile


class ProfileNotUsable(Refused):
    """The name is no name for a profile, belongs to other records, or the mapping means nothing."""


def save_profile(*, actor: Any, name: str, title: str, resource: str, mapping: dict[str, Any]) -> Profile:
    """Make a profile, or a new version of the one of this name. Raises ProfileNotUsable, NotPermitted."""
    with change_set(actor=actor, door=Door.FORM, verb="transfers.save_profile"):
        profile = Profile.objects.select_for_update().filter(name=name).first()
        if profile is None:
            profile = Profile(name=name, owner=actor, resource=resource)
            is_allowed = can(actor, "add", Profile)
        else:
            is_allowed = can(actor, "change", profile)
        if not is_allowed:
            raise NotPermitted("You have no right to save this import profile. Choose another name, or ask its owner.")
        if profile.resource != resource:
            raise ProfileNotUsable(f"The profile {name} is for other records. Choose another name.")
        profile.mapping = mapping
        profile.title = title or profile.title
        try:
            profile.full_clean(validate_unique=False)
        except ValidationError as error:
            raise ProfileNotUsable(" ".join(error.messages)) from error
        profile.save()
    profile.refresh_from_db()
    return profile
