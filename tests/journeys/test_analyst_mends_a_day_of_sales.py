"""An analyst brings in a day of sales: one flat file that is customers, products, orders and their lines. One number in it
is none; it is mended on the screen, and what hangs on it is right with it."""

from __future__ import annotations

from pathlib import Path

import pytest
from playwright.sync_api import expect

pytestmark = pytest.mark.journey

HEADER = "InvoiceNo,StockCode,Description,Quantity,InvoiceDate,UnitPrice,CustomerID,Country"
SALES = [
    "900001,J85123A,WHITE HANGING HEART T-LIGHT HOLDER,6,2010-12-01 08:26:00,2.55,91785,United Kingdom",
    "900001,J71053,WHITE METAL LANTERN,six,2010-12-01 08:26:00,3.39,91785,United Kingdom",
    "900002,J22633,HAND WARMER UNION JACK,6,2010-12-01 08:28:00,1.85,91304,France",
]


def test_analyst_mends_a_line_of_a_file_that_is_many_things(meet, tmp_path: Path) -> None:
    file = tmp_path / "sales.csv"
    file.write_text("\r\n".join([HEADER, *SALES, ""]), encoding="utf-8")
    with meet("analyst") as anton:
        anton.log_in()
        anton.open("Orders")
        anton.follow("Import")
        anton.field("File").set_input_files(file)
        anton.field("Import profile").select_option(value="online-retail")
        anton.press("Read the file")
        anton.sees("Ready for review", "900001", "six")

        cell = anton.main.locator("input[name^='cell-']").first
        expect(cell).to_have_value("six")
        cell.fill("4")
        anton.photograph("correcting-lines")
        anton.press("Check what I corrected")
        anton.sees("Ready for review")
        expect(anton.main).not_to_contain_text("“six”")
        anton.press("Apply all, or nothing")
        anton.sees("Applied")
        assert anton.house.facts(
            "SELECT o.number, l.number, p.sku, l.quantity FROM orders_orderline l JOIN orders_order o ON o.id = l.order_id "
            "JOIN catalogue_product p ON p.id = l.product_id WHERE o.number LIKE '90000_' ORDER BY 1, 2"
        ) == [("900001", 1, "J85123A", 6), ("900001", 2, "J71053", 4), ("900002", 1, "J22633", 6)]

        anton.follow("Undo")
        anton.field("Reason").fill("Only shown how it is done")
        anton.press("Show me what would change")
        anton.sees("To be restored")
        anton.press("Apply all, or nothing")
        anton.sees("Applied", "Restored")
        assert not anton.house.facts("SELECT number FROM orders_order WHERE number LIKE '90000_'")
