"""The admin site of the product."""

from __future__ import annotations

from unfold.sites import UnfoldAdminSite


class OpsAdminSite(UnfoldAdminSite):
    """unfold's site; its name stays `admin`, which simple-history's and Django's own links rely on."""
