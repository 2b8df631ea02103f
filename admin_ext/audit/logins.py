"""Who came and went: Django's own signals, written into the ledger of reads."""

from __future__ import annotations

from typing import Any

from django.contrib.auth import get_user_model
from django.contrib.auth.signals import user_logged_in, user_logged_out, user_login_failed
from django.dispatch import receiver

from admin_ext.audit.access_log import note_access, note_quietly
from admin_ext.audit.models import Access


@receiver(user_logged_in, dispatch_uid="opsadmin-note-login")
def note_login(sender: Any, user: Any, **kwargs: Any) -> None:
    """Nobody gets in unnoted: where this raises NotNoted, the answer is a 503, with which no session is saved."""
    note_access(Access.LOGIN, actor=user)


@receiver(user_logged_out, dispatch_uid="opsadmin-note-logout")
def note_logout(sender: Any, user: Any, **kwargs: Any) -> None:
    if user is not None:
        note_quietly(Access.LOGOUT, actor=user)


@receiver(user_login_failed, dispatch_uid="opsadmin-note-failed-login")
def note_failed_login(sender: Any, credentials: dict[str, Any], **kwargs: Any) -> None:
    """Keeps the name that was tried, never the password."""
    name = credentials.get(get_user_model().USERNAME_FIELD) or credentials.get("username") or ""
    note_quietly(Access.LOGIN_FAILED, actor=None, subject=str(name))
