"""What a policy hides or masks is told nowhere: for every record and every field, whoever wrote its list and its form.

Each field of a row is given a value that stands nowhere else. Somebody whom no policy meets must find it, or the test
looks at nothing; whom a policy meets must not.
"""

from __future__ import annotations

import contextlib
import datetime
import itertools
import re
from decimal import Decimal
from pathlib import Path

import pytest
from django.core import signing
from django.db import Error, models, transaction
from django.test import RequestFactory
from python_calamine import CalamineWorkbook

from admin_ext.access.models import FieldPolicy
from admin_ext.access.naming import named_by, policed_fields, why_not_policed
from admin_ext.access.veils import DOTS
from admin_ext.admin.bulk import SALT
from admin_ext.audit.context import change_set
from admin_ext.audit.triggers import FOLLOWING_COLUMNS
from admin_ext.filtering.selection import Selection
from admin_ext.jobs.models import JobFile
from admin_ext.jobs.running import run_job
from admin_ext.transfers.exporting import UnknownColumn, submit_export
from admin_ext.transfers.resources import has_resource, resource_for
from tests.contracts.world import ids, is_record, make, page, person_for, registered, rights_on

pytestmark = pytest.mark.django_db
records = [each for each in registered() if is_record(each)]
every_record = pytest.mark.parametrize("model_admin", records, ids=ids)
# Both in turn, field by field, each time; each for all fields with the matrix.
every_mix = pytest.mark.parametrize(
    "kinds",
    [
        ("hidden", "masked"),
        pytest.param(("hidden",), marks=pytest.mark.rights),
        pytest.param(("masked", "hidden"), marks=pytest.mark.rights),
        pytest.param(("masked",), marks=pytest.mark.rights),
    ],
    ids="-".join,
)
# What Django's own texts, dates of today and keys never have in them.
YEAR = 1931


def canary(field, number):
    """A value for the field, and the texts of which each would betray it; None where any value stands in many places."""
    if field.choices or isinstance(field, models.BooleanField | models.JSONField | models.GeneratedField):
        return None
    if isinstance(field, models.EmailField):
        return f"xqzvk{number}@example.org", [f"xqzvk{number}"]
    if isinstance(field, models.URLField):
        return f"https://xqzvk{number}.example.org/", [f"xqzvk{number}"]
    if isinstance(field, models.CharField | models.TextField):
        if (field.max_length or 99) < 8 or field.name == "time_zone":
            return None
        return f"XQZVK{number:02}", [f"XQZVK{number:02}"]
    if isinstance(field, models.DecimalField):
        if field.max_digits - field.decimal_places < 5:
            return None
        return Decimal(f"{64_000 + number}.25"), [f"{64_000 + number}.25", f"64,{number:03}.25"]
    if isinstance(field, models.IntegerField):
        # So long that no key, count or transaction has it by chance, where the column takes it.
        value = 27_300 + number if "Small" in type(field).__name__ else 827_364_500 + number
        return value, [str(value), f"{value:,}"]
    if isinstance(field, models.DateTimeField):
        return datetime.datetime(YEAR, 3, 17, 12, number, tzinfo=datetime.UTC), [str(YEAR)]
    if isinstance(field, models.DateField):
        return datetime.date(YEAR, 3, 17), [str(YEAR)]
    return None


def parts_of(model):
    return [
        relation.related_model
        for relation in model._meta.related_objects
        if getattr(relation.related_model, "part_of", "") == relation.field.name
    ]


def with_canaries(row):
    """Put a canary into every field that takes one."""
    model = type(row)
    for number, field in enumerate(policed_fields(model)):
        if found := canary(field, number):
            # Some fields the database keeps as they are.
            with (
                contextlib.suppress(Error),
                transaction.atomic(),
                change_set(actor=None, door="shell", reason="a canary"),
            ):
                model._base_manager.filter(pk=row.pk).update(**{field.name: found[0]})


def betrayals_of(row, prefix=""):
    """The texts that would betray the canaries which the row has, by field."""
    now, found = type(row)._base_manager.get(pk=row.pk), {}
    for number, field in enumerate(policed_fields(type(row))):
        put = canary(field, number)
        if put and getattr(now, field.name) == put[0]:
            found[prefix + field.name] = put[1]
    return found


def world_of(model):
    """A row with a part of each kind, all with canaries: the row, and what betrays them."""
    row, parts = make(model), []
    for part in parts_of(model):
        with contextlib.suppress(Error), transaction.atomic():
            parts.append(make(part, **{part.part_of: row}))
    for each in (*parts, row):
        with_canaries(each)
    betrayals = betrayals_of(row)
    for part in parts:
        betrayals |= betrayals_of(part, f"{part._meta.model_name}.")
    return model._base_manager.get(pk=row.pk), betrayals


def met_by(model, kinds):
    """Somebody with every right on the model, for whom its fields and those of its parts are hidden or masked in turn."""
    person = person_for(model, *rights_on(model))
    policies = [
        FieldPolicy(role=role, model=each._meta.label, field=field.name, kind=kind)
        for role in person.groups.all()
        for each in (model, *parts_of(model))
        for field, kind in zip(policed_fields(each), itertools.cycle(kinds), strict=False)
    ]
    with change_set(actor=None, door="shell", reason="a test"):
        FieldPolicy.objects.bulk_create(policies)
    return type(person).objects.get(pk=person.pk)


def addresses(model_admin, row):
    model = model_admin.model
    found = [
        page(model_admin, "changelist") + "?o=2.-3",
        page(model_admin, "change", row.pk),
        page(model_admin, "history", row.pk),
    ]
    if getattr(model, "has_past", False):
        found += [page(model_admin, "compare", row.pk), page(model_admin, "changes") + "?_since=2020-01-01T00:00"]
    return found


def asked_by_form(model_admin, row):
    """Pages that offer columns by name."""
    found = [page(model_admin, "export")] if has_resource(model_admin.model) else []
    if model_admin.bulk_edit_fields:
        selection = signing.dumps(Selection.picked(model_admin.model, [row.pk]).to_json(), salt=SALT)
        found.append(page(model_admin, "bulk", "edit") + f"?selection={selection}")
    return found


def betrayed(text, betrayals):
    return sorted(name for name, texts in betrayals.items() if any(each in text for each in texts))


@every_mix
@every_record
def test_no_page_tells_what_is_not_theirs_to_read(model_admin, kinds, client):
    model = model_admin.model
    row, betrayals = world_of(model)
    client.force_login(person_for(model))
    seen = " ".join(client.get(address).text for address in addresses(model_admin, row)[:3])
    assert betrayed(seen, betrayals) == sorted(betrayals), "what is shown to nobody betrays nobody"
    person = met_by(model, kinds)
    client.force_login(person)
    for address in addresses(model_admin, row):
        response = client.get(address)
        assert response.status_code == 200, address
        assert betrayed(response.text, betrayals) == [], address
        for field in policed_fields(model):
            assert f'name="{field.name}"' not in response.text, (address, field.name)
        if "masked" not in kinds:
            assert DOTS not in response.text, address
    for address in asked_by_form(model_admin, row):
        response = client.get(address)
        assert response.status_code in (200, 403), address
        for field in policed_fields(model):
            assert f'value="{field.name}"' not in response.text, (address, field.name)


@every_mix
@every_record
def test_no_filter_answers_for_what_is_not_theirs_to_read(model_admin, kinds, client):
    model = model_admin.model
    row, filterset = make(model), model_admin.get_filterset_class()
    person = met_by(model, kinds)
    own = {field.name for field in policed_fields(model)}
    lost = {name for name, each in filterset.base_filters.items() if each.field_name.partition("__")[0] in own}
    assert not lost & filterset.names_for(person)
    client.force_login(person)
    # One of each shape: what is refused does not depend on more than that.
    for name in sorted(lost, key=lambda each: ("__" in each, each))[:: max(len(lost) - 1, 1)]:
        unknown = f"{name.rpartition('__')[0]}__bogus" if "__" in name else "bogus"
        answer, expected = (client.get(page(model_admin, "changelist"), {each: "1"}) for each in (name, unknown))
        assert answer.status_code == expected.status_code, name
        assert page(model_admin, "change", row.pk) not in answer.text, name
        if expected.status_code == 200:
            assert f"There is no filter {name}" in answer.text
            for each in lost:
                assert not re.search(rf'name="{each}(_min|_max|_after|_before)?"', expected.text), each


@every_mix
@pytest.mark.parametrize("model_admin", [each for each in records if has_resource(each.model)], ids=ids)
def test_no_export_has_a_column_that_is_not_theirs_to_read(model_admin, kinds):
    model = model_admin.model
    _, betrayals = world_of(model)
    person = met_by(model, kinds)
    for format in ("csv", "xlsx"):
        job = submit_export(actor=person, selection=Selection(model=model._meta.label), format=format)
        run_job(job.pk)
        job.refresh_from_db()
        assert job.state == "succeeded", job.error
        path = Path(job.files.get(kind=JobFile.Kind.OUTPUT).file.path)
        if format == "csv":
            text = path.read_text(encoding="utf-8")
        else:
            rows = CalamineWorkbook.from_path(path).get_sheet_by_index(0).to_python()
            text = " ".join(str(cell) for row in rows for cell in row)
        assert betrayed(text, betrayals) == [] and DOTS not in text
    for name in {field.name for field in policed_fields(model)} & set(resource_for(model._meta.label).field_names()):
        with pytest.raises(UnknownColumn):
            submit_export(actor=person, selection=Selection(model=model._meta.label), columns=[name])


@every_record
def test_a_name_tells_no_field_that_a_policy_could_hide(model_admin):
    """Names stand in lists, links, messages and files: what they are made of must not be policed."""
    row, betrayals = world_of(model_admin.model)
    assert betrayed(str(row), betrayals) == []
    for name in (*named_by(model_admin.model), "id", *FOLLOWING_COLUMNS):
        assert why_not_policed(model_admin.model._meta.label, name, "hidden"), name


@every_record
def test_what_a_list_adds_to_its_rows_says_what_it_is_worked_out_from(model_admin):
    """`derived_fields` of the model names everything that a queryset adds, with columns that there are."""
    model, request = model_admin.model, RequestFactory().get("/")
    request.user = person_for(model)
    added = set(model_admin.get_queryset(request).query.annotations)
    assert added <= set(model.derived_fields), f"{model.__name__}.derived_fields does not say what {added} comes from"
    for paths in model.derived_fields.values():
        for path in paths:
            field_at(model, path)


@every_record
def test_every_filter_says_what_it_looks_at(model_admin):
    """A filter with a method may look anywhere: its field, or `reads`, names columns that there are."""
    filterset = model_admin.get_filterset_class()
    for name, each in filterset.base_filters.items():
        for path in filterset.reads.get(name, (each.field_name,)):
            field_at(model_admin.model, path)


def field_at(model, path):
    """Raises for a path that leads to no column."""
    for step in path.split("__"):
        field = model._meta.get_field(step)
        model = field.related_model or model
