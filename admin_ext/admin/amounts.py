"""Amounts as people read them."""

from __future__ import annotations

from decimal import ROUND_HALF_UP, Decimal

CENT = Decimal("0.01")


def money(amount: Decimal | None, currency: str = "") -> str | None:
    """Two decimals, rounded half up as on a document, with the currency; None for no amount."""
    if amount is None:
        return None
    return f"{amount.quantize(CENT, ROUND_HALF_UP):,}\u00a0{currency}".rstrip()
