"""The ledger of reads: what is noted, in whose name, and what happens where it cannot be."""

from __future__ import annotations

import hmac
import json
import time

import pytest
from django.core.files.base import ContentFile
from django.db import ProgrammingError, connection, transaction
from django.urls import reverse

from admin_ext.audit.access_log import NotNoted, note_access, note_quietly
from admin_ext.audit.models import Access, AccessEvent
from admin_ext.audit.signing import application_keys
from admin_ext.filtering.selection import Selection
from admin_ext.jobs.models import JobFile
from admin_ext.jobs.running import run_job
from admin_ext.jobs.services import store_file
from admin_ext.services import attach_file
from admin_ext.transfers.exporting import submit_export
from apps.accounts import services as accounts
from apps.accounts.models import User
from apps.customers.models import Customer
from tests import databases
from tests.contracts.world import person_for
from tests.factories import CustomerFactory, RegionFactory, RoleFactory, UserFactory, give_role, grant

pytestmark = pytest.mark.django_db


def noted(kind=None):
    """Events without the logins that `force_login` leaves."""
    events = AccessEvent.objects.order_by("pk")
    return list(events.filter(kind=kind) if kind else events.exclude(kind=Access.LOGIN))


@pytest.fixture
def person():
    return give_role(person_for(Customer), "customers.view_region")


class TestComingAndGoing:
    def test_leaves_a_login_and_a_logout_with_the_address(self, client):
        user = UserFactory(username="olga")
        user.set_password("opsadmin-demo")
        User.objects.filter(pk=user.pk).update(password=user.password)
        client.post(reverse("admin:login"), {"username": "olga", "password": "opsadmin-demo"}, REMOTE_ADDR="10.1.2.3")
        client.post(reverse("admin:logout"))
        came, went = AccessEvent.objects.order_by("pk")
        assert (came.kind, came.actor, came.address, came.db_user) == ("login", user, "10.1.2.3", "opsadmin_app")
        assert (went.kind, went.actor) == ("logout", user) and came.request_id != went.request_id

    def test_that_fails_keeps_the_name_and_never_the_password(self, client):
        client.post(reverse("admin:login"), {"username": "nobody", "password": "my-secret-password"})
        (event,) = AccessEvent.objects.all()
        assert (event.kind, event.actor, event.subject) == ("login_failed", None, "nobody")
        assert "my-secret" not in str(list(AccessEvent.objects.values_list()))


class TestWhatWasRefused:
    def test_a_page_without_the_right_is_noted_once_a_minute(self, client):
        client.force_login(UserFactory())
        page = reverse("admin:customers_customer_changelist")
        for _ in range(3):
            assert client.get(page).status_code == 403
        client.get(reverse("admin:orders_order_changelist"))
        assert [(e.subject, e.detail["status"]) for e in noted(Access.DENIED)] == [
            (page, 403),
            (reverse("admin:orders_order_changelist"), 403),
        ]

    def test_a_row_out_of_scope_and_one_that_never_was_are_noted_alike(self, client):
        client.force_login(person_for(Customer, scoped=True))
        for key in (CustomerFactory().pk, 999_999):
            client.get(reverse("admin:customers_customer_change", args=[key]))
            client.get(reverse("admin:customers_customer_do", args=[key, "hold"]))
        told = [(event.model, event.object_id, event.detail) for event in noted(Access.DENIED)]
        assert len(told) == 4 and told[:2] == told[2:]

    def test_addresses_that_lead_nowhere_and_strangers_are_not(self, client):
        client.get("/customers/customer/")
        client.force_login(UserFactory())
        assert client.get("/favicon.ico").status_code == 404
        assert noted() == []


class TestAWatchedModel:
    def test_keeps_who_opened_a_row_and_its_history(self, client):
        watched = UserFactory()
        reader = give_role(UserFactory(), "accounts.view_user")
        client.force_login(reader)
        client.get(reverse("admin:accounts_user_change", args=[watched.pk]))
        client.get(reverse("admin:accounts_user_history", args=[watched.pk]))
        assert [(e.actor, e.model, e.object_id, e.detail["page"]) for e in noted(Access.VIEW)] == [
            (reader, "accounts.User", watched.pk, "record"),
            (reader, "accounts.User", watched.pk, "history"),
        ]

    def test_others_are_read_without_a_note(self, client, person):
        client.force_login(person)
        client.get(reverse("admin:customers_customer_change", args=[CustomerFactory().pk]))
        assert noted() == []


class TestFiles:
    def test_an_export_and_its_download_are_noted_with_what_they_held(self, client, person):
        CustomerFactory(city="Lund"), CustomerFactory(city="Oslo")
        selection = Selection(model="customers.Customer", filters={"city": ["lund"]})
        job = submit_export(actor=person, selection=selection, columns=["code", "city"])
        run_job(job.pk)
        file = job.files.get(kind=JobFile.Kind.OUTPUT)
        client.force_login(person)
        b"".join(client.get(reverse("admin:jobs_jobfile_download", args=[file.pk])).streaming_content)
        export, download = noted()
        assert (export.kind, export.actor, export.model, export.subject) == (
            "export", person, "customers.Customer", file.name,
        )  # fmt: skip
        told = export.detail
        assert (told["rows_expected"], told["rows_written"], told["columns"]) == (1, 1, ["code", "city"])
        assert told["selection"]["filters"] == {"city": ["lund"]} and told["sha256"] == file.sha256
        assert (download.kind, download.actor, download.detail["sha256"]) == ("download", person, file.sha256)

    def test_a_file_on_a_record_is_noted_with_the_record(self, client, person):
        customer = CustomerFactory()
        file = attach_file(actor=person, record=customer, file=ContentFile(b"x"), name="contract.pdf")
        client.force_login(person)
        address = reverse("admin:customers_customer_attachment", args=[customer.pk, file.pk])
        b"".join(client.get(address).streaming_content)
        (event,) = noted()
        assert (event.kind, event.model, event.object_id, event.subject) == (
            "download", "customers.Customer", customer.pk, "contract.pdf",
        )  # fmt: skip


class TestRights:
    def test_given_and_taken_are_noted_once_with_who_whom_and_what(self):
        adam = give_role(
            UserFactory(), "accounts.grant_user", "customers.access_all_region", "customers.grant_region",
            "customers.view_region",
        )  # fmt: skip
        olga, role, region = UserFactory(), RoleFactory(name="Packer"), RegionFactory(code="NORD")
        for _ in range(2):
            accounts.give_role(actor=adam, user=olga, role=role, reason="New here")
        accounts.give_place(actor=adam, user=olga, place="region:NORD", reason="New here")
        accounts.take_place(actor=adam, user=olga, place="region:NORD", reason="Moved")
        accounts.take_role(actor=adam, user=olga, role=role, reason="Moved")
        events = noted(Access.RIGHTS)
        assert {(e.actor, e.model, e.object_id) for e in events} == {(adam, "accounts.User", olga.pk)}
        assert [(e.subject, e.reason) for e in events] == [
            ("Role Packer given", "New here"),
            ("Let into a region", "New here"),
            ("Taken from a region", "Moved"),
            ("Role Packer taken", "Moved"),
        ]
        assert events[1].detail == {"place": f"region:{region.code}"}

    def test_that_were_not_given_after_all_are_not_noted(self):
        adam, olga = give_role(UserFactory(), "accounts.grant_user", "accounts.grant_role"), UserFactory()
        with pytest.raises(ZeroDivisionError), transaction.atomic():
            accounts.give_role(actor=adam, user=olga, role=RoleFactory(), reason="New here")
            raise ZeroDivisionError
        assert noted(Access.RIGHTS) == []


@pytest.fixture
def out_of_order(settings):
    """Calling it makes this a process whose key the database does not know: the ledger refuses its claims."""

    def now():
        settings.AUDIT_CONTEXT_KEYS = ["not the key that the database knows"]

    return now


class TestALedgerOutOfOrder:
    @pytest.fixture
    def file(self, person):
        return store_file(actor=person, source=ContentFile(b"secret"), name="rows.csv", kind="output")

    def test_gives_out_no_file(self, client, person, file, out_of_order):
        client.force_login(person)
        out_of_order()
        response = client.get(reverse("admin:jobs_jobfile_download", args=[file.pk]))
        assert response.status_code == 503 and "not given out" in response.text
        file.refresh_from_db()
        assert file.downloads == 0

    def test_fails_an_export_with_a_sentence(self, person, out_of_order):
        job = submit_export(actor=person, selection=Selection(model="customers.Customer"))
        out_of_order()
        run_job(job.pk)
        job.refresh_from_db()
        assert job.state == "failed" and "could not be noted" in job.error
        assert not job.files.exists()

    def test_shows_pages_all_the_same_and_says_so_in_the_log(self, client, out_of_order, caplog):
        reader = give_role(UserFactory(), "accounts.view_user")
        client.force_login(reader)
        out_of_order()
        assert client.get(reverse("admin:accounts_user_change", args=[reader.pk])).status_code == 200
        assert client.get(reverse("admin:orders_order_changelist")).status_code == 403
        assert "the ledger of reads could not be written" in caplog.text

    def test_lets_nobody_in(self, client, out_of_order):
        user = UserFactory(username="olga")
        user.set_password("opsadmin-demo")
        User.objects.filter(pk=user.pk).update(password=user.password)
        out_of_order()
        response = client.post(reverse("admin:login"), {"username": "olga", "password": "opsadmin-demo"})
        assert response.status_code == 503
        assert client.get(reverse("admin:index")).status_code == 302


class TestTheLedgerItself:
    def test_names_nobody_but_whom_the_process_vouches_for(self):
        with (
            pytest.raises(ProgrammingError, match="not signed"),
            transaction.atomic(),
            connection.cursor() as cursor,
        ):
            claim = '{"kind": "view", "actor": 1, "at": 0}'
            cursor.execute("SELECT opsadmin_note_access(%s, %s)", [claim, b"x" * 32])

    @pytest.mark.parametrize(
        "attack",
        [
            "INSERT INTO audit_accessevent (kind, at, model, subject, reason, detail, db_user) "
            "VALUES ('view', now(), '', '', '', '{}', 'x')",
            "UPDATE audit_accessevent SET actor_id = NULL",
            "DELETE FROM audit_accessevent",
            "TRUNCATE audit_accessevent",
        ],
    )
    def test_is_only_ever_appended_to(self, attack):
        note_access(Access.EVIDENCE, actor=UserFactory())
        with pytest.raises(ProgrammingError), transaction.atomic(), connection.cursor() as cursor:
            cursor.execute(attack)
        assert len(noted()) == 1

    def test_takes_a_failure_out_of_a_transaction_that_goes_on(self, settings):
        customer = CustomerFactory()
        settings.AUDIT_CONTEXT_KEYS = ["unknown"]
        with transaction.atomic():
            note_quietly(Access.VIEW, actor=None)
            assert Customer.objects.filter(pk=customer.pk).exists()
            with pytest.raises(NotNoted), transaction.atomic():
                note_access(Access.EXPORT, actor=None)

    def test_takes_any_text(self):
        note_access(Access.LOGIN_FAILED, actor=None, subject="a\0b" + "x" * 300)
        (event,) = noted()
        assert event.subject.startswith("a\ufffdb") and len(event.subject) == 255


@pytest.mark.django_db(transaction=True)
class TestTheDisk:
    """Only a view, and only where it is all of its transaction, is not waited for."""

    @pytest.fixture
    def waiting(self):
        """What the server does anyhow: the embedded one waits for nothing in tests."""
        with connection.cursor() as cursor:
            cursor.execute("SET synchronous_commit = on")
            yield
            cursor.execute("RESET synchronous_commit")

    def commits(self):
        with connection.cursor() as cursor:
            cursor.execute("SHOW synchronous_commit")
            return cursor.fetchone()[0]

    def test_a_view_within_somebodys_work_weakens_nothing(self, waiting):
        with transaction.atomic():
            note_access(Access.VIEW, actor=None)
            assert self.commits() == "on"

    def test_the_setting_does_not_outlive_the_note(self, waiting):
        note_access(Access.VIEW, actor=None)
        assert self.commits() == "on"

    @pytest.mark.parametrize(("kind", "setting"), [("view", "off"), ("export", "on"), ("login", "on")])
    def test_is_waited_for_unless_somebody_only_looked(self, waiting, kind, setting):
        claim = json.dumps({"kind": kind, "at": time.time()})
        signature = hmac.digest(application_keys()[0], f"access|{claim}".encode(), "sha256")
        with connection.cursor() as cursor:
            cursor.execute(
                "SELECT opsadmin_note_access(%s, %s), current_setting('synchronous_commit')", [claim, signature]
            )
            assert cursor.fetchone()[1] == setting


class TestTheList:
    def test_shows_everybody_their_own_and_an_auditor_everybodys(self, client):
        mine, other = UserFactory(), UserFactory()
        for actor in (mine, other):
            note_access(Access.DOWNLOAD, actor=actor, subject=f"of-{actor.username}.csv")
        page = reverse("admin:audit_accessevent_changelist")
        client.force_login(mine)
        own = client.get(page).text
        assert f"of-{mine.username}.csv" in own and f"of-{other.username}.csv" not in own
        client.force_login(give_role(UserFactory(), "audit.view_accessevent"))
        assert f"of-{other.username}.csv" in client.get(page).text

    def test_tells_no_row_and_no_file_on_it_that_its_reader_may_not_see(self, client):
        customer = CustomerFactory(name="Hidden Ltd")
        event = note_access(
            Access.DOWNLOAD, actor=UserFactory(), model="customers.Customer", object_id=customer.pk, subject="merger.pdf",
            reason="Due diligence", detail={"attachment": 1, "sha256": "abc"},
        )  # fmt: skip
        reader = give_role(UserFactory(), "audit.view_accessevent", "customers.view_customer")
        pages = [
            reverse("admin:audit_accessevent_changelist"),
            reverse("admin:audit_accessevent_change", args=[event]),
        ]
        client.force_login(reader)
        for page in pages:
            text = client.get(page).text
            assert not [word for word in ("Hidden", "merger", "diligence", "abc") if word in text]
        client.force_login(grant(reader, "access_region", customer.region))
        for page in pages:
            assert "Hidden Ltd" in client.get(page).text and "merger.pdf" in client.get(page).text

    def test_pages_by_key_through_what_is_filtered(self, client):
        reader = give_role(UserFactory(), "audit.view_accessevent")
        client.force_login(reader)
        for n in range(120):
            note_access(Access.EXPORT if n % 2 else Access.DOWNLOAD, actor=reader, subject=f"n{n:03}")
        address, seen = reverse("admin:audit_accessevent_changelist") + "?kind=export", []
        while address:
            page = client.get(address)
            seen += [event.subject for event in page.context["cl"].result_list]
            older = page.context["cl"].older
            address = reverse("admin:audit_accessevent_changelist") + older if older else ""
        assert seen == [f"n{n:03}" for n in range(119, -1, -2)]

    @pytest.mark.parametrize("query", ["before=x", "kind=nonsense", "bogus=1"])
    def test_shows_nothing_where_the_question_is_not_understood(self, query, client):
        reader = give_role(UserFactory(), "audit.view_accessevent")
        client.force_login(reader)
        page = client.get(reverse("admin:audit_accessevent_changelist") + f"?{query}")
        assert page.status_code == 200 and page.context["cl"].result_list == []

    def test_finds_by_words(self, client):
        reader = give_role(UserFactory(), "audit.view_accessevent")
        note_access(Access.DOWNLOAD, actor=reader, subject="customers 2026-03.csv")
        note_access(Access.DOWNLOAD, actor=reader, subject="orders.csv")
        client.force_login(reader)
        page = client.get(reverse("admin:audit_accessevent_changelist") + "?q=custom")
        assert [event.subject for event in page.context["cl"].result_list] == ["customers 2026-03.csv"]

    @pytest.mark.django_db(transaction=True)
    @pytest.mark.parametrize(
        ("asked", "expected"),
        [
            ("at_after=2026-03-02&at_before=2026-03-02", ["day 2 late", "day 2 early"]),
            ("at_after=2026-03-03", ["day 3"]),
            ("at_before=2026-03-01", ["day 1"]),
            ("at_after=2030-01-01", []),
            ("at_before=2020-01-01", []),
        ],
    )
    def test_knows_its_days(self, asked, expected, client):
        reader = give_role(UserFactory(), "audit.view_accessevent")
        written = {
            "day 1": "2026-03-01T23:59:59.999Z",
            "day 2 early": "2026-03-02T00:00Z",
            "day 2 late": "2026-03-02T23:59:59.999Z",
            "day 3": "2026-03-03T00:00Z",
        }
        with databases.owner_connection() as owner:
            for subject, at in written.items():
                owner.execute(
                    "INSERT INTO audit_accessevent (kind, actor_id, at, model, subject, reason, detail, db_user) "
                    "VALUES ('download', %s, %s, '', %s, '', '{}', 'x')",
                    [reader.pk, at, subject],
                )
        client.force_login(reader)
        page = client.get(reverse("admin:audit_accessevent_changelist") + f"?kind=download&{asked}")
        assert [event.subject for event in page.context["cl"].result_list] == expected
