"""«Which export is this file?»: a file is dropped, and what the ledger of reads knows of its bytes is shown."""

from __future__ import annotations

import dataclasses
import hashlib
import re
from typing import Any

from django import forms
from django.core.exceptions import ValidationError

from admin_ext.access.rights import restrict
from admin_ext.audit.models import Access, AccessEvent

SHOWN = 50
MADE = (Access.EXPORT, Access.EVIDENCE)


class WhichFileForm(forms.Form):
    """A file, or the hash of one that must not be carried about."""

    file = forms.FileField(required=False, label="File", help_text="It is hashed as it comes in, and not kept.")
    sha256 = forms.CharField(
        required=False, label="or its SHA-256", max_length=128, help_text="64 digits, as sha256sum writes it."
    )

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or {}
        said = "".join((cleaned.get("sha256") or "").split()).lower()
        if cleaned.get("file"):
            digest = hashlib.sha256()
            for block in cleaned["file"].chunks():
                digest.update(block)
            said = digest.hexdigest()
        elif not re.fullmatch(r"[0-9a-f]{64}", said):
            raise ValidationError("Choose a file, or write its SHA-256: 64 digits from 0 to f.")
        return {**cleaned, "sha256": said}


@dataclasses.dataclass(frozen=True)
class Known:
    """A file that was made, and who fetched it since."""

    made: AccessEvent
    downloads: list[AccessEvent]


def known_files(sha256: str, *, reader: Any) -> list[Known]:
    """The exports that made exactly these bytes, as far as the reader may see the ledger; newest first."""
    events = restrict(AccessEvent.objects.all(), reader, "view").select_related("actor").order_by("-id")
    found = []
    for made in events.filter(kind__in=MADE, detail__sha256=sha256)[:SHOWN]:
        fetched = events.filter(kind=Access.DOWNLOAD, detail__sha256=sha256, detail__job=made.detail.get("job"))
        found.append(Known(made, list(fetched[:SHOWN])))
    return found
