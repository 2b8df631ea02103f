"""Amounts as people read them."""

from __future__ import annotations

from decimal import ROUND_HALF_UP, Decimal

from admin_ext.access.veils import Veiled

CENT = Decimal("0.01")


def money(amount: Decimal | None, currency: str = "") -> str | None:
    """Two decimals, rounded half up as on a document, with the currency; None for no amount."""
    if amount is None or amount == "":
        return None
    if isinstance(amount, Veiled):
        return str(amount)
    return f"{amount.quantize(CENT, ROUND_HALF_UP):,}\u00a0{currency}".rstrip()
