"""Roles as a file: it reads well, comes back as it went, says what is wrong on which line, and is applied whole."""

from __future__ import annotations

from io import StringIO

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.core.management import CommandError, call_command
from django.urls import reverse

from admin_ext.audit.models import Access, AccessEvent, ChangeSet
from admin_ext.granting.comparing import Comparison, FileRefused, in_lines
from admin_ext.granting.files import FileNotUnderstood, read_roles, write_roles
from admin_ext.services import ReasonMissing
from apps.accounts.models import Role
from tests.admin_ext.granting.world import World, powers

pytestmark = pytest.mark.django_db


@pytest.fixture
def world():
    return World()


def compared(world, text, actor=None):
    return Comparison(read_roles(text), actor=world.again(actor or world.lead))


class TestWriting:
    def test_is_sorted_a_name_a_line_and_without_superusers(self, world):
        text = write_roles()
        assert text.startswith(
            "roles:\n  Abroad:\n    rights:\n      - customers.view_customer\n    places:\n      region:\n"
        )
        assert "  mate:\n    roles:\n      - Plain\n" in text
        assert "root" not in text and text == write_roles()

    def test_tells_a_person_what_they_may_see(self, world):
        text = write_roles(seen_by=world.again())
        assert "NORDICS" in text and "AMERICAS" not in text

    def test_comes_back_as_it_went(self, world):
        for actor in (world.root, world.lead):
            text = write_roles(seen_by=world.again(actor))
            assert compared(world, text, actor).steps == []


class TestReading:
    @pytest.mark.parametrize(
        ("text", "line", "said"),
        [
            ("roles:\n  Plain:\n    rights:\n      - orders.fly_order\n", 4, "There is no right orders.fly_order"),
            ("people:\n  mate:\n    roles:\n      - Plain\n      - Ghost\n", 5, "There is no role Ghost"),
            ("people:\n  ghost: {}\n", 2, "There is no person ghost"),
            ("people:\n  root:\n    roles: [Plain]\n", 2, "superuser"),
            ("people:\n  mate:\n    places:\n      region: [MARS]\n", 4, "There is no region MARS"),
            ("people:\n  mate:\n    places:\n      region: [AMERICAS]\n", 4, "that you may see"),
            ("people:\n  mate:\n    places:\n      planet: [MARS]\n", 4, "no kind of place planet"),
            ("roles:\n  Plain: {}\n  Plain: {}\n", 3, "twice"),
            ("roles:\n  Plain:\n    powers: [x]\n", 3, "“powers” is not known"),
            ("roles:\n  Plain:\n    rights: everything\n", 3, "a list"),
            ("teams: {}\n", 1, "“teams” is not known"),
            ("roles: [\n", 2, "expected the node content"),
            ("a: &x {}\nb: *x\n", 1, "anchors"),
            ("a: !!python/object:os.system {}\n", 1, "tags"),
            ("- roles\n", 1, "list of names"),
            ("x" * 1_000_001, 1, "at most"),
            ("[" * 5000, 1, "line 1"),
        ],
    )
    def test_says_what_is_wrong_and_on_which_line(self, world, text, line, said):
        with pytest.raises(FileNotUnderstood, match=said) as error:
            compared(world, text)
        assert error.value.problems[0].line == line

    def test_says_everything_that_is_wrong_at_once(self, world):
        text = "roles:\n  Plain:\n    rights: [a.b, c.d]\npeople:\n  ghost: {}\n"
        with pytest.raises(FileNotUnderstood) as error:
            compared(world, text)
        assert [problem.line for problem in error.value.problems] == [3, 3, 5]

    def test_an_empty_file_changes_nothing(self, world):
        assert compared(world, "").steps == compared(world, "roles:\npeople:\n").steps == []


class TestApplying:
    TEXT = (
        "roles:\n  Plain:\n    rights: [customers.change_customer]\n    places: {region: [SWEDEN]}\n  Fresh:\n"
        "    rights: [customers.view_customer]\npeople:\n  newcomer:\n    roles: [Fresh]\n    places: {region: [NORDICS]}\n"
        "  mate: {}\n"
    )

    def test_shows_every_change_first(self, world):
        assert in_lines(compared(world, self.TEXT).steps).splitlines() == [
            "+ Plain: may change customers (customers.change_customer)",
            "- Plain: may see customers (customers.view_customer)",
            "+ Plain: region Sweden",
            "+ Fresh: a new role",
            "+ Fresh: may see customers (customers.view_customer)",
            "+ newcomer: role Fresh",
            "+ newcomer: region Nordics",
            "- mate: role Plain",
        ]

    def test_is_one_act_and_leaves_nothing_to_do(self, world):
        compared(world, self.TEXT).apply(reason="Reviewed by two")
        assert compared(world, self.TEXT).steps == []
        act = ChangeSet.objects.get(verb="granting.import_roles")
        assert (act.actor, act.reason) == (world.lead, "Reviewed by two")
        assert AccessEvent.objects.filter(kind=Access.RIGHTS).count() == 6

    def test_does_nothing_where_one_line_is_refused(self, world):
        before = powers()
        with pytest.raises(FileRefused, match="line 4, newcomer: The role Shipping gives more"):
            compared(world, "people:\n  mate:\n    roles: []\n  newcomer:\n    roles: [Shipping]\n").apply(reason="x")
        assert powers() == before

    def test_asks_why(self, world):
        with pytest.raises(ReasonMissing):
            compared(world, self.TEXT).apply(reason=" ")


class TestCommands:
    def test_export_then_import_by_somebody_who_may(self, world, tmp_path):
        path = tmp_path / "roles.yaml"
        call_command("export_roles", path)
        assert path.read_text() == write_roles()
        path.write_text(TestApplying.TEXT)
        before, out = powers(), StringIO()
        call_command("import_roles", path, "--as", "lead", "--dry-run", stdout=out)
        assert "+ newcomer: role Fresh" in out.getvalue() and powers() == before
        call_command("import_roles", path, "--as", "lead", "--reason", "Reviewed", stdout=out)
        assert Role.objects.filter(name="Fresh").exists() and "Done." in out.getvalue()

    @pytest.mark.parametrize(
        ("text", "who", "said"),
        [
            ("people:\n  ghost: {}\n", "lead", "line 2: There is no person ghost"),
            ("people:\n  newcomer:\n    roles: [Shipping]\n", "lead", "Nothing was changed"),
            ("people: {}\n", "nobody", "no person nobody"),
        ],
    )
    def test_says_what_is_wrong(self, world, tmp_path, text, who, said):
        path = tmp_path / "roles.yaml"
        path.write_text(text)
        with pytest.raises(CommandError, match=said):
            call_command("import_roles", path, "--as", who, "--reason", "x", stdout=StringIO())


class TestPage:
    def test_fetched_compared_and_applied(self, world, client):
        client.force_login(world.again())
        fetched = client.get(reverse("admin:accounts_role_file_fetch"))
        assert fetched.content.decode() == write_roles(seen_by=world.again())
        assert AccessEvent.objects.get(kind=Access.EXPORT).subject == "roles.yaml"
        address = reverse("admin:accounts_role_file")
        file = SimpleUploadedFile("roles.yaml", TestApplying.TEXT.encode())
        shown = client.post(address, {"_show": "1", "file": file})
        assert "8 changes. Nothing is done yet." in shown.text and "newcomer:" in shown.text
        assert not Role.objects.filter(name="Fresh").exists()
        silent = client.post(address, {"_apply": "1", "text": TestApplying.TEXT})
        assert "Say why" in silent.text and not Role.objects.filter(name="Fresh").exists()
        done = client.post(address, {"_apply": "1", "text": TestApplying.TEXT, "reason": "Reviewed"})
        assert done.status_code == 302 and Role.objects.filter(name="Fresh").exists()
        assert ChangeSet.objects.get(verb="accounts.import_roles").door == "import"

    def test_a_file_that_names_what_is_not_there_is_told_line_by_line(self, world, client):
        client.force_login(world.again())
        shown = client.post(reverse("admin:accounts_role_file"), {"text": "people:\n  ghost: {}\n"})
        assert "Line 2: There is no person ghost" in shown.text and 'name="_apply"' not in shown.text

    def test_is_closed_to_who_may_not_grant(self, world, client):
        client.force_login(world.again(world.mate))
        for name in ("accounts_role_file", "accounts_role_file_fetch"):
            assert client.get(reverse(f"admin:{name}")).status_code == 403
