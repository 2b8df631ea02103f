"""What a list shows, as data: nothing is lost between a view and an address, and nothing that is none comes in."""

from __future__ import annotations

from urllib.parse import parse_qs, urlencode

from hypothesis import given
from hypothesis import strategies as st

from admin_ext.filtering.list_state import MOST_COLUMNS, MOST_SORTED, PAGE_SIZES, ListState
from admin_ext.filtering.models import SavedView
from tests.factories import UserFactory

NAMES = st.from_regex(r"[a-z][a-z_]{0,12}", fullmatch=True)
TEXTS = st.text(st.characters(blacklist_categories=("Cs",), blacklist_characters="\0"), min_size=1, max_size=20)
STATES = st.builds(
    ListState,
    filters=st.dictionaries(
        NAMES.filter(lambda name: name not in ("view", "q")), st.lists(TEXTS, min_size=1), max_size=4
    ).map(lambda said: {name: sorted(set(values)) for name, values in sorted(said.items())}),
    search=TEXTS.map(str.strip),
    columns=st.lists(
        st.tuples(NAMES, st.one_of(st.just(0), st.integers(40, 800))), max_size=8, unique_by=lambda pair: pair[0]
    ).map(tuple),
    ordering=st.lists(NAMES, max_size=MOST_SORTED, unique=True).flatmap(
        lambda names: st.tuples(*(st.sampled_from([name, f"-{name}"]) for name in names))
    ),
    page_size=st.sampled_from([0, *PAGE_SIZES]),
    density=st.sampled_from(SavedView.Density.values),
)


class TestRoundTrips:
    @given(STATES)
    def test_a_view_keeps_everything_through_an_address_and_back(self, state):
        view = SavedView(name="x", model="customers.Customer", owner=UserFactory.build(is_superuser=True))
        state.put_into(view)
        opened = ListState.of_view(view, view.owner)
        assert opened == state
        address = urlencode(opened.parameters(), doseq=True)
        back = ListState.of_address(parse_qs(address, keep_blank_values=True).items(), not_filters=())
        assert back == state

    def test_an_address_that_says_all_is_told_from_one_that_only_names_a_view(self):
        assert ListState().parameters() == {"_columns": [""]}


class TestWhatMeansNothing:
    @given(st.dictionaries(st.sampled_from(["_columns", "_sort", "_size", "_density", "q"]), st.lists(st.text())))
    def test_any_text_makes_a_state(self, said):
        state = ListState.of_address(said.items(), not_filters=())
        assert state.page_size in (0, *PAGE_SIZES)
        assert state.density in SavedView.Density.values
        assert len(state.columns) <= MOST_COLUMNS and len(state.ordering) <= MOST_SORTED
        assert not state.filters

    def test_blank_filters_are_none(self):
        assert ListState.of_address([("status", [""]), ("name", ["", "x"])], not_filters=()).filters == {"name": ["x"]}

    def test_a_view_whose_columns_somebody_wrote_by_hand_opens(self):
        view = SavedView(name="x", model="x.Y", filters=[1], columns=["name", {"width": 3}, {"name": 5}], ordering="n")
        state = ListState.of_view(view, UserFactory.build(is_superuser=True))
        assert state == ListState()
