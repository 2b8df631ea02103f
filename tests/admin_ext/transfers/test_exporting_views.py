"""A saved view from the shell: its rows, order and columns, within the rights of whose view it is."""

from __future__ import annotations

from io import StringIO

import pytest
from django.core.management import call_command

from admin_ext.filtering.list_state import ViewVeiled
from admin_ext.filtering.selection import Selection
from admin_ext.filtering.views import share_view
from admin_ext.jobs.models import Job
from apps.customers.models import Customer
from tests.contracts.world import person_for
from tests.factories import CustomerFactory, SavedViewFactory, UserFactory, police

pytestmark = pytest.mark.django_db


@pytest.fixture
def anton():
    return person_for(Customer)


def export(person, tmp_path, **said):
    call_command("export_file", user=person.username, output=tmp_path / "out.csv", stdout=StringIO(), **said)
    return (tmp_path / "out.csv").read_text().splitlines()


def refused(person, tmp_path, **said):
    told = StringIO()
    with pytest.raises(SystemExit) as end:
        call_command("export_file", user=person.username, output=tmp_path / "no.csv", stderr=told, **said)
    assert end.value.code == 2 and not (tmp_path / "no.csv").exists() and not Job.objects.exists()
    return told.getvalue()


def test_a_view_from_the_shell(anton, tmp_path):
    for code, city, status in (("A", "Lund", "on_hold"), ("B", "Åbo", "on_hold"), ("C", "Oslo", "active")):
        CustomerFactory(code=code, city=city, status=status)
    view = SavedViewFactory(
        owner=anton,
        name="Held",
        filters={"status": ["on_hold"]},
        columns=[{"name": "code"}, {"name": "shown_status"}, {"name": "city"}],
        ordering=["-code"],
    )
    assert export(anton, tmp_path, view="Held") == ["code,city", "B,Åbo", "A,Lund"]
    assert export(anton, tmp_path, view=str(view.pk), columns="code") == ["code", "B", "A"]
    assert export(anton, tmp_path, view="Held", filter=["status=active"]) == ["code,city", "C,Oslo"]
    Job.objects.all().delete()
    assert "no view “Held”" in refused(UserFactory(), tmp_path, view="Held")
    assert "no view" in refused(UserFactory(), tmp_path, view=str(view.pk))
    assert "no view" in refused(anton, tmp_path, view="Held", resource="orders.Order")
    assert "Say what to export" in refused(anton, tmp_path)


def test_of_two_views_of_a_name_ones_own_is_meant_and_others_by_number(anton, tmp_path):
    maria, jan = person_for(Customer), person_for(Customer)
    views = [SavedViewFactory(owner=each, name="Held", ordering=["code"]) for each in (maria, jan)]
    for view in views:
        share_view(actor=view.owner, view=view, people=[anton])
    assert "more than one view" in refused(anton, tmp_path, view="Held")
    SavedViewFactory(owner=anton, name="Held")
    assert len(export(anton, tmp_path, view="Held", columns="code")) == 1


def test_the_rows_of_a_view_are_a_selection(anton):
    view = SavedViewFactory(owner=anton, filters={"status": ["on_hold"]}, search="abc", ordering=["-code", "price"])
    selection = Selection.of_view(view, anton)
    assert (selection.filters, selection.search) == ({"status": ["on_hold"]}, "abc")
    # What a list adds to its rows is no column of theirs.
    assert list(selection.resolve(actor=anton, action="view").query.order_by) == ["-code", "pk"]
    with pytest.raises(ViewVeiled):
        Selection.of_view(view, police(anton, "filtering.SavedView:filters", "masked"))
