"""«Who changed the credit limit of this customer, when and why?» in three clicks; and the proof of it, checked offline."""

from __future__ import annotations

import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
from django.conf import settings
from playwright.sync_api import expect

pytestmark = pytest.mark.journey


@pytest.fixture
def raised(house):
    """A credit limit that was raised: whose, by whom, why, from what to what, in which act."""
    return house.facts(
        """
        SELECT c.code, u.first_name || ' ' || u.last_name, s.reason, was.credit_limit::text, became.credit_limit::text, s.id
        FROM audit_changeset s
        JOIN customers_historicalcustomer became ON became.change_set_id = s.id
        JOIN customers_historicalcustomer was ON was.id = became.id AND was.version = became.version - 1
        JOIN customers_customer c ON c.id = became.id
        JOIN accounts_user u ON u.id = s.actor_id
        WHERE s.verb = 'customers.change_credit_limit' ORDER BY s.id LIMIT 1
        """
    )[0]


def test_who_changed_the_credit_limit_and_why_in_three_clicks(meet, raised):
    code, who, why, before, after, _ = raised
    with meet("auditor") as aya:
        aya.log_in()
        aya.open("Customers")
        aya.search(code)
        aya.rows.get_by_role("link", name=code).first.click()  # one
        aya.follow("History")  # two
        aya.main.get_by_label("Changes of").select_option("credit_limit")
        aya.press("Show")  # three
        change = aya.main.locator("section").filter(has_text="customers.change_credit_limit").first
        for text in (who, why):
            expect(change).to_contain_text(text)
        expect(change.locator("del").first).to_have_text(before)
        expect(change.locator("ins").first).to_have_text(after)
        expect(aya.main.locator("dt").filter(has_not_text="Credit limit")).to_have_count(0)


def test_the_timeline_finds_it_without_knowing_the_customer(meet, raised):
    code, who, why, _, after, act = raised
    with meet("auditor") as aya:
        aya.log_in()
        aya.page.goto(
            f"{aya.page.url.rstrip('/')}/audit/changeset/timeline/?model=customers.Customer&field=credit_limit"
        )
        found = aya.main.locator("section").filter(has_text=code).first
        for text in (who, why, after, f"#{act}"):
            expect(found).to_contain_text(text)
        aya.photograph("timeline")
        found.get_by_role("link", name=f"#{act}").click()
        aya.sees(who, why, code)
        aya.photograph("change-set")


def test_the_proof_is_taken_along_and_verified_without_the_product(meet, raised, tmp_path):
    code, who, why, _, _, act = raised
    with meet("auditor") as aya:
        aya.log_in()
        aya.page.goto(f"{aya.page.url.rstrip('/')}/audit/changeset/{act}/change/")
        aya.follow("Take evidence")
        aya.press("Take evidence")
        fetch = aya.main.get_by_role("link").filter(has_text=".zip").first
        expect(fetch).to_be_visible(timeout=60_000)
        with aya.page.expect_download() as fetching:
            fetch.click()
        pack = tmp_path / "pack.zip"
        fetching.value.save_as(pack)
    with zipfile.ZipFile(pack) as archive:
        summary = archive.read("summary.html").decode()
        (tmp_path / "key.pem").write_bytes(archive.read("public_key.pem"))
    assert all(text in summary for text in (who, why, code))
    verifier = Path(settings.BASE_DIR) / "docs" / "verify_evidence.py"
    command = [sys.executable, "-I", str(verifier), str(pack), "--key", str(tmp_path / "key.pem")]
    done = subprocess.run(command, capture_output=True, text=True, check=False, env={}, cwd=tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    damaged = bytearray(pack.read_bytes())
    damaged[len(damaged) // 3] ^= 1
    pack.write_bytes(bytes(damaged))
    assert subprocess.run(command, capture_output=True, check=False, env={}, cwd=tmp_path).returncode != 0
