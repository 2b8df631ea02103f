"""An analyst is mailed a messy workbook: maps it, mends three cells on the screen, applies it, undoes it."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import pytest
import xlsxwriter
from playwright.sync_api import expect

pytestmark = pytest.mark.journey

ROWS = [
    # number, company, street, house number, town, land, limit, remark
    ["X-101", "Bergs Bageri", "Storgatan", 12, "Falun", "Sweden", "1.200,50", "since 1998"],
    ["X-102", "Dalens Fisk", "Bryggen", "4 B", "Bergen", "Norway", "800", None],
    ["X-103", "Elbe Kontor", "Am Kai", 7, "Hamburg", "Germany", "n/a", "ask Uwe"],
    ["X-104", "Fjällbutiken", "Fjällvägen", 3, "Kiruna", "Swedn", "2.000", None],
    ["X-105", None, "Havnegata", 9, "Tromsø", "Norway", "300,00", None],
    ["X-106", "Granit AB", "Stenvägen", 1, "Umeå", "Sweden", "90", None],
]


def messy_workbook(path: Path) -> Path:
    """The customers stand on the second sheet, below a title and a blank row, between notes and a remark."""
    with xlsxwriter.Workbook(str(path)) as book:
        book.add_worksheet("Cover").write(0, 0, "Confidential")
        sheet = book.add_worksheet("Kunden")
        sheet.write(0, 0, "Customers of the company we took over")
        sheet.write(1, 0, "as of")
        sheet.write_datetime(1, 1, date(2026, 10, 31), book.add_format({"num_format": "yyyy-mm-dd"}))
        header = ["Kundennr.", "Firma", "Street", "No.", "Town", "Land", "Credit limit", "Remark"]
        for column, name in enumerate(header):
            sheet.write(3, column, name)
        for line, row in enumerate(ROWS):
            for column, value in enumerate(row):
                sheet.write(4 + line, column, value)
    return path


def test_analyst_maps_a_messy_workbook_and_mends_three_cells(meet, tmp_path):
    file = messy_workbook(tmp_path / "taken-over.xlsx")
    with meet("analyst") as anton:
        anton.log_in()
        anton.open("Customers")
        anton.follow("Import")
        anton.field("File").set_input_files(file)
        anton.press("Read the file")
        anton.sees("What was found in taken-over.xlsx")

        anton.main.locator("select[name=read-sheet]").select_option(value="Kunden")
        anton.press("Read it so")
        anton.sees("Where each field comes from", "Bergs Bageri")
        comes_from(anton, "Name").select_option(label="Firma")
        comes_from(anton, "Code").select_option(label="Kundennr.")
        change_on_the_way(anton, "street", {"Join with column": "No."})
        change_on_the_way(anton, "country", {"Values that become others": "Sweden => SE\nNorway => NO\nGermany => DE"})
        change_on_the_way(anton, "credit_limit", {"Numbers are written as": "1.234,56"})
        anton.main.get_by_role("checkbox", name="Remark").check()
        anton.press("Show the first rows again")
        anton.sees("Storgatan 12", "1200.50")
        anton.photograph("mapping")
        anton.main.locator("input[name=profile_name]").fill("taken-over")
        anton.press("Save as import profile")
        anton.sees("By the import profile taken-over")

        anton.press("Read the file")
        anton.sees("Ready for review", "Apply the 3 good rows", "By the import profile taken-over, version 1")
        for cell, text in (
            ("Credit limit of row 3", "500"),
            ("Land of row 4", "Sweden"),
            ("Firma of row 5", "Havets Hus"),
        ):
            box = anton.main.get_by_label(cell)
            expect(box).to_be_visible()
            box.fill(text)
        anton.photograph("correcting")
        anton.page.keyboard.press("Enter")
        anton.sees("3 rows are right now.", "Corrected by Anton Becker")
        anton.press("Apply all, or nothing")
        anton.sees("Applied")
        assert brought_in(anton) == [
            ("X-101", "Bergs Bageri", "Storgatan 12", "SE", "1200.50"),
            ("X-102", "Dalens Fisk", "Bryggen 4 B", "NO", "800.00"),
            ("X-103", "Elbe Kontor", "Am Kai 7", "DE", "500.00"),
            ("X-104", "Fjällbutiken", "Fjällvägen 3", "SE", "2000.00"),
            ("X-105", "Havets Hus", "Havnegata 9", "NO", "300.00"),
            ("X-106", "Granit AB", "Stenvägen 1", "SE", "90.00"),
        ]

        anton.follow("Undo")
        anton.field("Reason").fill("It was last year's list")
        anton.press("Show me what would change")
        anton.sees("To be restored", "6 deleted.")
        anton.photograph("undoing")
        anton.press("Apply all, or nothing")
        anton.sees("Applied", "Restored")
        assert brought_in(anton) == []


def brought_in(anton):
    return anton.house.facts(
        "SELECT code, name, street, country, credit_limit::text FROM customers_customer "
        "WHERE code LIKE 'X-10%%' ORDER BY code"
    )


def comes_from(anton, label):
    row = anton.main.locator("tr", has=anton.page.locator(f"label:text-matches('^{label}')")).first
    return row.locator("select[name^='from-']")


def change_on_the_way(anton, name, inputs):
    """Open what is done to a field on its way, and fill in."""
    row = anton.main.locator("tr", has=anton.page.locator(f"#from-{name}"))
    row.locator("summary").click()
    for label, value in inputs.items():
        box = row.get_by_label(label)
        if box.evaluate("each => each.tagName") == "SELECT":
            box.select_option(label=value)
        else:
            box.fill(value)
