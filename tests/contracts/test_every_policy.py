"""What a policy hides or masks is told nowhere: for every record and every field, whoever wrote its list and its form.

Each field of a row is given a value that stands nowhere else. Somebody whom no policy meets must find it, or the test
looks at nothing; whom a policy meets must not.
"""

from __future__ import annotations

import datetime
from decimal import Decimal

import pytest
from django.core import signing
from django.db import Error, models, transaction
from python_calamine import CalamineWorkbook

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
from tests.factories import FieldPolicyFactory, give_role

pytestmark = pytest.mark.django_db
records = [each for each in registered() if is_record(each)]
every_record = pytest.mark.parametrize("model_admin", records, ids=ids)
every_kind = pytest.mark.parametrize("kind", ["hidden", "masked"])
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
        return 27_300 + number, [str(27_300 + number), f"27,{300 + number}"]
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
    """Put a canary into every field that takes one; the texts that betray them, by field."""
    model, betrayals = type(row), {}
    for number, field in enumerate(policed_fields(model)):
        found = canary(field, number)
        if found is None:
            continue
        try:
            with transaction.atomic(), change_set(actor=None, door="shell", reason="a canary"):
                model._base_manager.filter(pk=row.pk).update(**{field.name: found[0]})
        except Error:
            continue  # the database keeps it as it is
        betrayals[field.name] = found[1]
    return betrayals


def world_of(model):
    """A row with a part of each kind, all with canaries: the row, and what betrays them."""
    row = make(model)
    betrayals = with_canaries(row)
    for part in parts_of(model):
        try:
            with transaction.atomic():
                made = make(part, **{part.part_of: row})
        except Error:
            continue
        betrayals |= {f"{part._meta.model_name}.{name}": texts for name, texts in with_canaries(made).items()}
    return model._base_manager.get(pk=row.pk), betrayals


def met_by(model, kind):
    """Somebody with every right on the model, for whom every field of it and of its parts is hidden or masked."""
    person = give_role(person_for(model, *rights_on(model)), "access.view_fieldpolicy")
    for role in person.groups.all():
        for each in (model, *parts_of(model)):
            for field in policed_fields(each):
                FieldPolicyFactory(role=role, model=each._meta.label, field=field.name, kind=kind)
    return type(person).objects.get(pk=person.pk)


def addresses(model_admin, row):
    model = model_admin.model
    found = [
        page(model_admin, "changelist"),
        *(page(model_admin, "changelist") + f"?o={n}" for n in (1, 2, -3)),
        page(model_admin, "change", row.pk),
        page(model_admin, "history", row.pk),
        page(model_admin, "delete", row.pk),
        page(model_admin, "deleted"),
    ]
    if getattr(model, "has_past", False):
        found += [page(model_admin, "compare", row.pk), page(model_admin, "changes") + "?_since=2020-01-01T00:00"]
    if has_resource(model):
        found += [page(model_admin, "export"), page(model_admin, "import")]
    if model_admin.bulk_edit_fields:
        selection = signing.dumps(Selection.picked(model, [row.pk]).to_json(), salt=SALT)
        found.append(page(model_admin, "bulk", "edit") + f"?selection={selection}")
    return found


def betrayed(text, betrayals):
    return sorted(name for name, texts in betrayals.items() if any(each in text for each in texts))


@every_kind
@every_record
def test_no_page_tells_what_is_not_theirs_to_read(model_admin, kind, client):
    model = model_admin.model
    row, betrayals = world_of(model)
    person, control = met_by(model, kind), person_for(model)
    client.force_login(control)
    seen = [client.get(address) for address in addresses(model_admin, row)]
    assert {response.status_code for response in seen} <= {200, 302, 403}
    found = set(betrayed(" ".join(response.text for response in seen), betrayals))
    assert found == set(betrayals), f"looks at nothing: {set(betrayals) - found} is shown to nobody"
    client.force_login(person)
    for address in addresses(model_admin, row):
        response = client.get(address)
        assert response.status_code in (200, 302, 403), address
        assert betrayed(response.text, betrayals) == [], address
        for field in policed_fields(model):
            assert f'name="{field.name}"' not in response.text, (address, field.name)
    changed = client.get(page(model_admin, "change", row.pk)).text
    if kind == "masked" and betrayals:
        assert DOTS in changed
    if kind == "hidden":
        assert DOTS not in changed


@every_kind
@every_record
def test_no_filter_answers_for_a_field_that_is_not_theirs_to_read(model_admin, kind, client):
    model = model_admin.model
    row, _ = world_of(model)
    filterset = model_admin.get_filterset_class()
    person = met_by(model, kind)
    left = filterset.names_for(person)
    own = {field.name for field in policed_fields(model)}
    lost = {name for name, each in filterset.base_filters.items() if each.field_name.partition("__")[0] in own}
    assert not lost & left
    client.force_login(person)
    for name in lost:
        response = client.get(page(model_admin, "changelist"), {name: "1"})
        assert f"There is no filter {name}" in response.text, name
        assert page(model_admin, "change", row.pk) not in response.text, name
    assert all(f'name="{name}"' not in client.get(page(model_admin, "changelist")).text for name in lost)


@every_kind
@pytest.mark.parametrize("model_admin", [each for each in records if has_resource(each.model)], ids=ids)
def test_no_export_has_a_column_that_is_not_theirs_to_read(model_admin, kind):
    model = model_admin.model
    _, betrayals = world_of(model)
    person = met_by(model, kind)
    columns = set(resource_for(model._meta.label).field_names())
    for format in ("csv", "xlsx"):
        job = submit_export(actor=person, selection=Selection(model=model._meta.label), format=format)
        run_job(job.pk)
        job.refresh_from_db()
        assert job.state == "succeeded", job.error
        file = job.files.get(kind=JobFile.Kind.OUTPUT)
        if format == "csv":
            text = file.file.read().decode()
        else:
            rows = CalamineWorkbook.from_path(file.file.path).get_sheet_by_index(0).to_python()
            text = " ".join(str(cell) for row in rows for cell in row)
        assert betrayed(text, betrayals) == []
        assert DOTS not in text
    for field in policed_fields(model):
        if field.name in columns:
            with pytest.raises(UnknownColumn):
                submit_export(actor=person, selection=Selection(model=model._meta.label), columns=[field.name])


@every_record
def test_a_name_tells_no_field_that_a_policy_could_hide(model_admin):
    """Names stand in lists, links, messages and files: what they are made of must not be policed."""
    row, betrayals = world_of(model_admin.model)
    assert betrayed(str(row), betrayals) == []
    for name in (*named_by(model_admin.model), "id", *FOLLOWING_COLUMNS):
        assert why_not_policed(model_admin.model._meta.label, name, "hidden"), name


@every_record
def test_every_filter_says_what_it_looks_at(model_admin):
    """A filter with a method may look anywhere: its field, or `reads`, names columns that there are."""
    filterset = model_admin.get_filterset_class()
    for name, each in filterset.base_filters.items():
        for path in filterset.reads.get(name, (each.field_name,)):
            model = model_admin.model
            for step in path.split("__"):
                field = model._meta.get_field(step)  # raises for a column that there is not
                model = field.related_model or model
