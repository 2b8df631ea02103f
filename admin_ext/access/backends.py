"""Rights come through roles alone."""

from __future__ import annotations

from typing import Any

from django.contrib.auth.backends import ModelBackend
from django.contrib.auth.models import Permission

from admin_ext.access.roles import roles_held


class RoleBackend(ModelBackend):
    """Django's backend without permissions given to a person directly: who holds what can be read off the roles."""

    def _get_user_permissions(self, user_obj: Any) -> Any:
        return Permission.objects.none()

    def _get_group_permissions(self, user_obj: Any) -> Any:
        return Permission.objects.filter(group__in=roles_held(user_obj))
