"""What can be done to a product."""

from __future__ import annotations

from datetime import date, timedelta
from decimal import Decimal

from django.utils import timezone

from admin_ext.services import Refused, service
from apps.accounts.models import User
from apps.catalogue.models import Price, Product


class ProductAlreadyActive(Refused):
    """An active product is sold already."""


class ProductAlreadyDiscontinued(Refused):
    """A discontinued product is not sold any more."""


class ProductHasNoPrice(Refused):
    """Nobody said what the product costs."""


@service("catalogue.activate", right="activate", possible=lambda product: product.status != "active")
def activate_product(*, actor: User, product: Product, reason: str = "") -> Product:
    """Sell a product: a new one, or a discontinued one again. Raises ProductAlreadyActive, ProductHasNoPrice."""
    if product.status == Product.Status.ACTIVE:
        raise ProductAlreadyActive(f"{product} is active already.")
    if product.list_price is None and not product.prices.exists():
        raise ProductHasNoPrice(f"{product} has no price. Give it a list price, or a price from a day on.")
    product.status = Product.Status.ACTIVE
    product.save(update_fields=["status"])
    return product


@service("catalogue.discontinue", right="discontinue", possible=lambda product: product.status != "discontinued")
def discontinue_product(*, actor: User, product: Product, reason: str) -> Product:
    """Take no new orders for a product; confirmed ones are still served. Raises ProductAlreadyDiscontinued."""
    if product.status == Product.Status.DISCONTINUED:
        raise ProductAlreadyDiscontinued(f"{product} is discontinued already.")
    product.status = Product.Status.DISCONTINUED
    product.save(update_fields=["status"])
    return product


@service("catalogue.reprice", right="reprice")
def reprice_product(
    *,
    actor: User,
    product: Product,
    amount: Decimal,
    valid_from: date | None = None,
    currency: str = "",
    reason: str = "",
) -> Price:
    """Let one unit cost `amount` from a day on (today), in `currency` (the product's own), without tax.

    The price that holds on that day ends the day before. The new one holds for as long as that one would have, or
    until the next price begins. Raises ValidationError for an amount that is no price.
    """
    day = valid_from or timezone.localdate()
    prices = product.prices.filter(currency=currency or product.currency)
    current = prices.on(day).first()
    if current and current.valid_from == day:
        current.amount = amount
        current.full_clean(exclude=["product"])
        current.save(update_fields=["amount"])
        return current
    following = prices.after(day).first()
    last_free_day = following.valid_from - timedelta(days=1) if following else None
    new = Price(
        product=product,
        currency=currency or product.currency,
        amount=amount,
        valid_from=day,
        valid_until=current.valid_until if current else last_free_day,
    )
    if current:
        current.valid_until = day - timedelta(days=1)
        current.save(update_fields=["valid_until"])
    new.full_clean(exclude=["product"])
    new.save()
    return new
