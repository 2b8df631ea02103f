"""Who keeps the catalogue raises the prices of 3,000 products by 4 %, and sees every value before it is one."""

from __future__ import annotations

import csv
from decimal import Decimal
from pathlib import Path

import pytest
from playwright.sync_api import expect

pytestmark = pytest.mark.journey

PRODUCTS = 3000


def price(number: int) -> Decimal:
    return Decimal(100 + number) / 100


def price_list(path: Path) -> Path:
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(["SKU", "Name", "List price"])
        writer.writerows([f"RP-{number:04}", f"Raisable {number}", price(number)] for number in range(PRODUCTS))
    return path


def test_operator_raises_three_thousand_prices(meet, tmp_path):
    with meet("analyst") as anton:
        anton.log_in()
        anton.open("Products")
        anton.follow("Import")
        anton.field("File").set_input_files(price_list(tmp_path / "prices.csv"))
        anton.press("Read the file")
        anton.sees("What was found in prices.csv")
        anton.page.locator("button[value=read]").click()
        anton.sees("Ready for review", "3,000 rows")
        anton.press("Apply all, or nothing")
        anton.sees("Applied")

        anton.open("Products")
        anton.search("RP-")
        expect(anton.rows.first).to_be_visible()
        anton.page.locator("#action-toggle").check()
        anton.page.get_by_text("Select all").locator("visible=true").click()
        anton.page.locator("select[name=action]").select_option(label="Change values …")
        anton.page.get_by_role("button", name="Run").click()
        anton.sees("Change values: 3,000 products")
        anton.page.locator("#id_do-list_price").select_option(label="Change by percent")
        anton.page.locator("#id_value-list_price").fill("4")
        anton.photograph("bulk-edit")
        anton.press("Show me what would change")
        anton.sees("Ready for review", "3,000 rows")
        # Every value, old and new, page by page.
        seen = {}
        while True:
            texts = anton.main.locator("tbody tr").all_inner_texts()
            for text in texts:
                words = text.split()
                sku = next(word for word in words if word.startswith("RP-"))
                at = words.index("→")
                seen[sku] = (Decimal(words[at - 1]), Decimal(words[at + 1]))
            later = anton.main.get_by_role("link", name="Next rows")
            if not later.count():
                break
            later.click()
            anton.page.wait_for_load_state()
        assert len(seen) == PRODUCTS
        assert all(new == (old * Decimal("1.04")).quantize(Decimal("0.0001")) for old, new in seen.values())

        anton.main.get_by_label("Type 3000 to confirm").fill("3000")
        anton.press("Apply all, or nothing")
        anton.sees("Applied")
    found = anton.house.facts("SELECT sku, list_price FROM catalogue_product WHERE sku LIKE 'RP-%%'")
    assert dict(found) == {sku: new for sku, (_, new) in seen.items()}
