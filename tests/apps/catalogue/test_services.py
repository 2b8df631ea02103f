"""What can be done to a product, by whom, and what stands in the record afterwards."""

from __future__ import annotations

from datetime import date
from decimal import Decimal

import pytest
from django.core.exceptions import ValidationError

from admin_ext.access.rights import NotPermitted
from apps.catalogue import services
from apps.catalogue.models import Price, Product
from tests.apps.catalogue.factories import PriceFactory, ProductFactory
from tests.factories import UserFactory, give_role

pytestmark = pytest.mark.django_db


@pytest.fixture
def actor():
    return give_role(
        UserFactory(), "catalogue.activate_product", "catalogue.discontinue_product", "catalogue.reprice_product"
    )


def spans(product):
    """The prices of a product as (amount, first day, last day), oldest first."""
    return [(price.amount, price.valid_from, price.valid_until) for price in product.prices.order_by("valid_from")]


class TestActivateProduct:
    def test_puts_a_draft_on_sale_and_says_who_and_why(self, actor):
        product = ProductFactory(status="draft")
        services.activate_product(actor=actor, product=product, reason="Samples approved")

        row = product.history.latest()
        assert (row.status, row.changed, row.history_user) == (Product.Status.ACTIVE, ["status"], actor)
        assert (row.change_set.verb, row.change_set.reason) == ("catalogue.activate", "Samples approved")

    def test_refuses_a_product_that_nobody_gave_a_price(self, actor):
        product = ProductFactory(status="draft", list_price=None)
        with pytest.raises(services.ProductHasNoPrice, match="Give it a list price"):
            services.activate_product(actor=actor, product=product)
        PriceFactory(product=product)
        assert services.activate_product(actor=actor, product=product).status == Product.Status.ACTIVE

    def test_refuses_an_active_one(self, actor):
        with pytest.raises(services.ProductAlreadyActive):
            services.activate_product(actor=actor, product=ProductFactory())

    def test_needs_its_own_right(self):
        clerk = give_role(UserFactory(), "catalogue.view_product", "catalogue.change_product")
        with pytest.raises(NotPermitted):
            services.activate_product(actor=clerk, product=ProductFactory(status="draft"))


class TestDiscontinueProduct:
    def test_takes_a_product_off_sale_until_it_is_activated_again(self, actor):
        product = ProductFactory()
        services.discontinue_product(actor=actor, product=product, reason="No more deliveries")
        assert not Product.objects.active().filter(pk=product.pk).exists()
        services.activate_product(actor=actor, product=product)
        assert Product.objects.active().filter(pk=product.pk).exists()

    def test_refuses_a_discontinued_one(self, actor):
        with pytest.raises(services.ProductAlreadyDiscontinued):
            services.discontinue_product(actor=actor, product=ProductFactory(status="discontinued"), reason="Again")


class TestRepriceProduct:
    def test_ends_the_price_that_holds_the_day_before_and_opens_a_new_one(self, actor):
        product = PriceFactory(amount=10).product
        services.reprice_product(actor=actor, product=product, amount=Decimal("12.5"), valid_from=date(2026, 3, 1))
        assert spans(product) == [
            (10, date(2026, 1, 1), date(2026, 2, 28)),
            (Decimal("12.5"), date(2026, 3, 1), None),
        ]

    def test_keeps_what_was_agreed_for_later(self, actor):
        product = PriceFactory(amount=10, valid_until=date(2026, 6, 30)).product
        PriceFactory(product=product, amount=11, valid_from=date(2026, 9, 1))

        services.reprice_product(actor=actor, product=product, amount=12, valid_from=date(2026, 3, 1))
        services.reprice_product(actor=actor, product=product, amount=13, valid_from=date(2026, 8, 1))
        assert spans(product) == [
            (10, date(2026, 1, 1), date(2026, 2, 28)),
            (12, date(2026, 3, 1), date(2026, 6, 30)),
            (13, date(2026, 8, 1), date(2026, 8, 31)),
            (11, date(2026, 9, 1), None),
        ]

    def test_corrects_a_price_that_begins_on_the_same_day(self, actor):
        price = PriceFactory(amount=10)
        services.reprice_product(actor=actor, product=price.product, amount=9, valid_from=price.valid_from)
        assert spans(price.product) == [(9, price.valid_from, None)]

    def test_leaves_prices_in_other_currencies_alone(self, actor):
        price = PriceFactory(amount=10, currency="SEK")
        services.reprice_product(actor=actor, product=price.product, amount=1, valid_from=date(2026, 3, 1))
        assert {(p.currency, p.valid_until) for p in price.product.prices.all()} == {("SEK", None), ("EUR", None)}

    @pytest.mark.parametrize("valid_from", [date(2026, 1, 1), date(2026, 3, 1)])
    def test_refuses_a_negative_price_and_leaves_the_current_one(self, actor, valid_from):
        price = PriceFactory(amount=10)
        with pytest.raises(ValidationError):
            services.reprice_product(actor=actor, product=price.product, amount=-1, valid_from=valid_from)
        assert spans(price.product) == [(10, price.valid_from, None)]


class TestPriceOnADay:
    def test_is_the_dated_price_in_the_products_currency_and_else_the_list_price(self):
        product = PriceFactory(amount=12, valid_until=date(2026, 6, 30), product__list_price=10).product
        PriceFactory(product=product, currency="USD", amount=99)
        on = {day: Product.objects.with_price_on(day).get(pk=product.pk).price for day in DAYS}
        assert list(on.values()) == [10, 12, 12, 10]
        assert Price.objects.on(date(2026, 6, 30)).get(currency="EUR").amount == 12


DAYS = [date(2025, 12, 31), date(2026, 1, 1), date(2026, 6, 30), date(2026, 7, 1)]
