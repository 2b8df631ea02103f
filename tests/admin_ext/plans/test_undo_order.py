"""In which order models are taken back, whatever order they are met in."""

from __future__ import annotations

from itertools import permutations

from admin_ext.plans.models import Action
from admin_ext.plans.undo_order import in_order
from apps.catalogue.models import Price
from apps.customers.models import Contact, Customer, Region

CREATE, UPDATE, DELETE = Action.CREATE, Action.UPDATE, Action.DELETE


def every_order(*steps):
    """What comes out, whatever order the steps come in."""
    return {tuple(in_order(each)) for each in permutations(steps)}


class TestTheOrder:
    def test_makes_what_is_named_first_and_deletes_it_last(self):
        made = ((CREATE, Region), (CREATE, Customer), (CREATE, Contact))
        assert every_order(*made) == {made}
        gone = ((DELETE, Contact), (DELETE, Customer), (DELETE, Region))
        assert every_order(*gone) == {gone}

    def test_moves_rows_between_what_is_made_and_what_goes(self):
        steps = ((CREATE, Region), (UPDATE, Customer), (DELETE, Region))
        for order in every_order(*steps):
            assert order.index((CREATE, Region)) < order.index((UPDATE, Customer)) < order.index((DELETE, Region))

    def test_makes_room_within_a_model(self):
        steps = ((DELETE, Price), (UPDATE, Price), (CREATE, Price))
        assert every_order(*steps) == {steps}

    def test_lets_foreign_keys_win_over_room_where_rows_name_rows_of_their_own_model(self):
        for order in every_order((DELETE, Region), (UPDATE, Region), (CREATE, Region)):
            assert order.index((CREATE, Region)) < order.index((UPDATE, Region)) < order.index((DELETE, Region))
