"""What can be done to a customer."""

from __future__ import annotations

from decimal import Decimal

from admin_ext.services import Refused, service
from apps.accounts.models import User
from apps.customers.models import Customer


class CustomerNotActive(Refused):
    """Only an active customer can be put on hold."""


class CustomerNotOnHold(Refused):
    """Only a customer on hold can be released."""


class CustomerAlreadyClosed(Refused):
    """A closed customer stays closed."""


@service("customers.hold", right="hold", possible=lambda customer: customer.status == "active", reason_required=True)
def hold_customer(*, actor: User, customer: Customer, reason: str) -> Customer:
    """Stop taking orders from an active customer. Raises CustomerNotActive."""
    if customer.status != Customer.Status.ACTIVE:
        raise CustomerNotActive(
            f"{customer} is {customer.get_status_display().lower()}; only an active one can be held."
        )
    customer.status = Customer.Status.ON_HOLD
    customer.save(update_fields=["status"])
    return customer


@service("customers.release", right="release", possible=lambda customer: customer.status == "on_hold")
def release_customer(*, actor: User, customer: Customer, reason: str = "") -> Customer:
    """Take orders from a held customer again. Raises CustomerNotOnHold."""
    if customer.status != Customer.Status.ON_HOLD:
        raise CustomerNotOnHold(f"{customer} is {customer.get_status_display().lower()}; there is nothing to release.")
    customer.status = Customer.Status.ACTIVE
    customer.save(update_fields=["status"])
    return customer


@service("customers.close", right="close", possible=lambda customer: customer.status != "closed", reason_required=True)
def close_customer(*, actor: User, customer: Customer, reason: str) -> Customer:
    """End the business with a customer for good. Raises CustomerAlreadyClosed."""
    if customer.status == Customer.Status.CLOSED:
        raise CustomerAlreadyClosed(f"{customer} is closed already.")
    customer.status = Customer.Status.CLOSED
    customer.save(update_fields=["status"])
    return customer


@service("customers.change_credit_limit", right="change_credit_limit", reason_required=True)
def change_credit_limit(*, actor: User, customer: Customer, credit_limit: Decimal, reason: str) -> Customer:
    """Set how much may be open at one time, in the customer's currency."""
    customer.credit_limit = credit_limit
    customer.full_clean(exclude=["code", "country", "currency"])
    customer.save(update_fields=["credit_limit"])
    return customer
