"""What was exported and not touched comes back as no change: every kind of value, and 10,000 rows with their rights."""

from __future__ import annotations

import random
import uuid
import zipfile
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from zoneinfo import ZoneInfo

import pytest
from django.core.files.base import ContentFile
from django.db import connection, models
from django.utils import timezone

from admin_ext.audit.context import change_set
from admin_ext.filtering.selection import Selection
from admin_ext.jobs.models import JobFile
from admin_ext.jobs.running import run_job
from admin_ext.plans.applying import apply_plan
from admin_ext.plans.values import Cleaner
from admin_ext.transfers.export_columns import Query, _cell
from admin_ext.transfers.exporting import submit_export
from admin_ext.transfers.formats import FORMATS, QueryWriter, suffix_of
from admin_ext.transfers.importing import submit_import
from admin_ext.transfers.reading import open_table
from admin_ext.transfers.snapshots import time_zone
from admin_ext.transfers.writing import strip_neutralising
from admin_ext.transfers.writing.workbook_by_copy import Look
from apps.customers.models import Customer
from tests.contracts.world import person_for
from tests.factories import RegionFactory, UserFactory, give_role

pytestmark = pytest.mark.django_db

ZONE = "Europe/Oslo"
NASTY = [
    "=1+1", "+1+1", "-2+3", "@SUM(1)", "\t=1", "\r=1", " =1", "'=1", "''x", "'", "-3.5", "+46 70 123", "007", "1e5", "1.0",
    "12345678901234567890", "Ærø Kro", "日本語", "😀", "a\nb", "a\r\nb", "a\rb", 'say "x", y; z', "tab\there", "_x0041_",
    "\x07bell", "<b>&amp;</b>", "true", "2024-01-01", "NULL", "\\N", "\\.", "%s", "{}", "＝1+1", "\ufeffmark", "", "  in  out ",
    "\u200b=1", "—", "#N/A", "#REF!", "1,5", "x" * 200,
]  # fmt: skip


def a_text(chance, longest=200):
    if chance.random() < 0.5:
        return chance.choice(NASTY)[:longest]
    letters = "abcÅßñ=+-@'\"\n;,\t 0159_xX<>&😀\x0b\u3000"
    return "".join(chance.choices(letters, k=chance.randrange(12)))


def an_instant(chance):
    # Some in the hour that is there twice, some to the microsecond.
    if chance.random() < 0.2:
        return datetime(2024, 10, 27, chance.randrange(4), chance.randrange(60), tzinfo=UTC)
    parts = 0 if chance.random() < 0.6 else chance.randrange(1_000_000)
    return datetime(1905, 1, 1, tzinfo=UTC) + timedelta(seconds=chance.randrange(5_000_000_000), microseconds=parts)


KINDS = {
    "char": (models.CharField(max_length=200, blank=True), a_text),
    "text": (models.TextField(blank=True), lambda chance: a_text(chance, 10_000)),
    "small": (models.SmallIntegerField(null=True), lambda chance: chance.randrange(-32768, 32768)),
    "whole": (models.IntegerField(null=True), lambda chance: chance.randrange(-(2**31), 2**31)),
    "big": (models.BigIntegerField(null=True), lambda chance: chance.choice((1, -1)) * chance.randrange(2**63)),
    "money": (
        models.DecimalField(max_digits=12, decimal_places=2, null=True),
        lambda chance: Decimal(chance.randrange(-(10**12), 10**12)).scaleb(-2),
    ),
    "long": (
        models.DecimalField(max_digits=30, decimal_places=10, null=True),
        lambda chance: Decimal(chance.randrange(-(10 ** chance.randrange(1, 29)), 10**28)).scaleb(-10),
    ),
    "real": (
        models.FloatField(null=True),
        lambda chance: chance.choice((chance.random() * 1e-9, chance.gauss(0, 1e12))),
    ),
    "flag": (models.BooleanField(null=True), lambda chance: chance.random() < 0.5),
    "day": (models.DateField(null=True), lambda chance: date(1850, 1, 1) + timedelta(days=chance.randrange(100_000))),
    "instant": (models.DateTimeField(null=True), an_instant),
    "clock": (models.TimeField(null=True), lambda chance: time(chance.randrange(24), chance.randrange(60), 7, 5)),
    "span": (models.DurationField(null=True), lambda chance: timedelta(seconds=chance.randrange(-(10**8), 10**8))),
    "uuid": (models.UUIDField(null=True), lambda chance: uuid.UUID(int=chance.getrandbits(128))),
    "address": (models.GenericIPAddressField(null=True), lambda chance: f"10.0.{chance.randrange(256)}.1"),
    "choice": (
        models.CharField(max_length=9, choices=[("=a", "Equal"), ("-b", "Minus"), ("c c", "C")]),
        lambda chance: chance.choice(["=a", "-b", "c c"]),
    ),
}
COUNTS = [500, pytest.param(10_000, marks=pytest.mark.matrix)]


def fields():
    for name, (field, _) in KINDS.items():
        field.set_attributes_from_name(name)
    return {name: field for name, (field, _) in KINDS.items()}


def made_rows(count, seed):
    chance = random.Random(seed)
    return [
        [None if field.null and chance.random() < 0.1 else make(chance) for field, make in KINDS.values()]
        for _ in range(count)
    ]


def write_kinds(path, format, rows):
    """Have the database write rows of every kind of value into a file, as an export does."""
    known = fields()
    types = {name: field.db_type(connection) for name, field in known.items()}
    arrays = ", ".join(f"%s::{kind}[]" for kind in types.values())
    names = ", ".join(f'"{name}"' for name in types)
    cells = [_cell(field, header=name, sql=f'r."{name}"', comes_back=True) for name, field in known.items()]
    sql = f"SELECT * FROM unnest({arrays}) WITH ORDINALITY AS kinds({names}, n) ORDER BY n"
    query = Query(sql, tuple(map(list, zip(*rows, strict=True))), cells)
    writer = QueryWriter(path, query, format=format, name="", look=Look(title="Kinds", zone=ZONE))
    with time_zone(ZONE):
        list(writer.batches())


@pytest.mark.parametrize("count", COUNTS)
@pytest.mark.parametrize("format", [name for name in FORMATS if name != "ndjson"])
def test_every_kind_of_value_comes_back_as_it_was(tmp_path, format, count):
    known = fields()
    rows = made_rows(count, seed=4711)
    path = tmp_path / f"out.{suffix_of(format)}"
    write_kinds(path, format, rows)
    if FORMATS[format].is_workbook:
        assert b"<f>" not in zipfile.ZipFile(path).read("xl/worksheets/sheet1.xml")
    read = [row.cells for row in open_table(path).rows()]
    assert len(read) == count
    wrong = []
    with timezone.override(ZoneInfo(ZONE)):
        for column, (name, field) in enumerate(known.items()):
            raws = [row[column] for row in read]
            if not FORMATS[format].is_workbook:
                raws = [strip_neutralising(raw) for raw in raws]
            found, _ = Cleaner(field).column(raws)
            for value, was in zip(found, (row[column] for row in rows), strict=True):
                expected = was.strip() if isinstance(was, str) and isinstance(field, models.CharField) else was
                if isinstance(field, models.TextField) and not str(was).strip():
                    expected = ""
                if value != expected:
                    wrong.append((name, was, value))
    assert not wrong, (len(wrong), wrong[:10])


@pytest.mark.parametrize("count", COUNTS)
@pytest.mark.parametrize("format", ["csv", "csv-excel", "tsv", "xlsx", "xlsx-edit"])
def test_an_untouched_export_changes_nothing_and_writes_no_history(format, count):
    chance = random.Random(42)
    regions = [RegionFactory(code=f"R{n}") for n in range(3)]
    analyst = give_role(person_for(Customer), "customers.view_region")
    texts = ["name", "tax_number", "contact_name", "phone", "fax", "street", "city", "state", "postal_code"]
    longest = {name: Customer._meta.get_field(name).max_length for name in texts}
    with change_set(actor=None, door="shell", reason="Made"):
        Customer.objects.bulk_create(
            Customer(
                code=f"{n:05}",
                region=regions[n % 3],
                credit_limit=Decimal(chance.randrange(10**9)).scaleb(-2),
                payment_terms_days=chance.randrange(90),
                **{name: a_text(chance, longest[name]) or ("x" if name == "name" else "") for name in texts},
            )
            for n in range(count)
        )
    job = submit_export(actor=analyst, selection=Selection(model="customers.Customer"), format=format)
    run_job(job.pk)
    with job.files.get(kind=JobFile.Kind.OUTPUT).file.open("rb") as file:
        source = ContentFile(file.read())
    recorded = Customer.history.count()
    plan = submit_import(actor=analyst, source=source, name=f"back.{suffix_of(format)}", resource="customers.Customer")
    run_job(plan.making_id)
    plan.refresh_from_db()
    assert plan.counts == {"unchanged": count}, list(
        plan.rows.exclude(action="unchanged").values("before", "after", "errors")[:5]
    )
    plan = apply_plan(actor=analyst, plan=plan, mode="keep_good")
    run_job(plan.applying_id)
    assert Customer.history.count() == recorded


@pytest.mark.parametrize("format", FORMATS)
class TestRelatedRows:
    """An order tells of its customer as far as the reader may see that one."""

    CANARY = "QQ7531975QQ"

    @pytest.fixture
    def world(self):
        from apps.orders.models import Order
        from tests.apps.orders.factories import OrderFactory
        from tests.factories import CustomerFactory

        placed_by = UserFactory(username=self.CANARY.lower())
        order = OrderFactory(customer=CustomerFactory(code=self.CANARY, name=f"{self.CANARY} Ltd"), placed_by=placed_by)
        person = person_for(Order)
        assert not person.has_perm("customers.view_customer")
        return order, person

    def exported(self, person, format, columns=None):
        job = submit_export(actor=person, selection=Selection(model="orders.Order"), format=format, columns=columns)
        run_job(job.pk)
        with job.files.get(kind=JobFile.Kind.OUTPUT).file.open("rb") as file:
            content = file.read()
        if FORMATS[format].is_workbook:
            import io

            book = zipfile.ZipFile(io.BytesIO(content))
            content = b"".join(book.read(name) for name in book.namelist())
        return content.decode("utf-8-sig")

    def test_that_are_not_theirs_to_see_are_not_named(self, world, format):
        order, person = world
        text = self.exported(person, format)
        assert order.number in text and "not visible to you" in text
        assert self.CANARY not in text and self.CANARY.lower() not in text

    def test_that_are_theirs_are(self, world, format):
        _, person = world
        person = give_role(person, "customers.view_customer", "customers.access_all_region")
        text = self.exported(person, format, ["number", "customer", "customer__name"])
        assert f"{self.CANARY} Ltd" in text

    def test_an_untouched_export_comes_back_as_no_change(self, world, format):
        _, person = world
        if format == "ndjson":
            return
        job = submit_export(actor=person, selection=Selection(model="orders.Order"), format=format)
        run_job(job.pk)
        with job.files.get(kind=JobFile.Kind.OUTPUT).file.open("rb") as file:
            source = ContentFile(file.read())
        plan = submit_import(actor=person, source=source, name=f"b.{suffix_of(format)}", resource="orders.Order")
        run_job(plan.making_id)
        plan.refresh_from_db()
        assert plan.counts == {"unchanged": 1}, list(plan.rows.values("before", "after", "errors"))
