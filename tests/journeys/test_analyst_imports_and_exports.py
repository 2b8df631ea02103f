"""An analyst brings in customers that another company kept, mends the rows that were wrong, and takes a list away."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest
from playwright.sync_api import Locator, expect
from python_calamine import CalamineWorkbook

from tests.journeys.people import Person

pytestmark = pytest.mark.journey

# The columns of Northwind's customers. The customers are made up.
HEADER = [
    "CustomerID", "CompanyName", "ContactName", "ContactTitle", "Address", "City", "Region", "PostalCode", "Country",
    "Phone", "Fax",
]  # fmt: skip
HAVRE = [
    "HAVRE",
    "Havremagasinet",
    "Åsa Kvarn",
    "Owner",
    "Kvarngatan 3",
    "Luleå",
    "",
    "972 38",
    "Sweden",
    "0920-11",
    "",
]
FJORD = ["FJORD", "Fjordens Fisk", "Per Naust", "Sales Agent", "Bryggen 9", "Bergen", "", "5003", "Norway", "55 30", ""]
MUELL = ["MUELL", "Müllers Mühle", "Uwe Müller", "Owner", "Am Bach 1", "Jena", "", "07743", "Germany", "03641-22", ""]
SKOGS = ["SKOGS", "Skogsbär", "Eva Ris", "Owner", "Skogsvägen 2", "Umeå", "", "903 25", "Sweden", "090-4410", ""]
OLIVA = ["OLIVA", "Oliva, Sole & Figli", "Ada Sole", "Buyer", "Via Lunga 8", "Bari", "", "70121", "Italy", "080-77", ""]
TYRIH = ["TYRIH", "Tyri Handel", "Ola Tyri", "Owner", "Storgata 4", "Bodø", "", "8006", "Norway", "75 50 02", ""]
MISSPELT = [cell.replace("Sweden", "Swedn") for cell in SKOGS]
NAMELESS = [cell.replace("Tyri Handel", "") for cell in TYRIH]
MENDED = [HAVRE, FJORD, MUELL, SKOGS, OLIVA, TYRIH]


def test_analyst_imports_a_file_with_two_broken_rows_and_exports_a_list(meet, tmp_path):
    broken = write(tmp_path / "broken.csv", [HAVRE, FJORD, MUELL, MISSPELT, OLIVA, NAMELESS])
    mended = write(tmp_path / "mended.csv", MENDED)
    with meet("analyst") as anton:
        anton.log_in()
        anton.open("Customers")
        anton.photograph("customers")

        read(anton, broken)
        anton.sees("6 rows", "Apply the 4 good rows")
        anton.photograph("plan")
        # Each broken row says where it stands in the file, what is wrong, and what to do.
        expect(line(anton, 5)).to_contain_text("Country “Swedn”")
        expect(line(anton, 5)).to_contain_text("Correct the cell")
        expect(line(anton, 7)).to_contain_text("CompanyName is missing")
        expect(line(anton, 7)).to_contain_text("Every new row needs it")

        failed = rows_of(download(anton, "Download the rows that failed"))
        assert [row[:-1] for row in failed] == [HEADER, MISSPELT, NAMELESS]
        assert "line 5" in failed[1][-1] and "Swedn" in failed[1][-1]
        assert "line 7" in failed[2][-1] and "CompanyName" in failed[2][-1]
        anton.press("Discard")
        anton.sees("Discarded")

        read(anton, mended)
        anton.press("Apply all, or nothing")
        anton.sees("Applied")
        anton.open("Customers")
        anton.search("SKOGS")
        anton.follow("SKOGS")
        anton.follow("History")
        anton.sees("Anton Becker", "Import", "created", "Skogsbär")

        anton.open("Customers")
        anton.show_filters()
        anton.choose("Country", "Norway")
        anton.press("Apply Filters")
        anton.sees("Country: Norway", "Fjordens Fisk", "Tyri Handel")
        anton.follow("Export")
        anton.field("Format").select_option(label="Excel workbook")
        anton.field("Keep it as an export definition").fill("norway")
        anton.photograph("export")
        anton.press("Export")
        anton.sees("Succeeded")
        anton.photograph("job")
        with download(anton, ".xlsx").open("rb") as file:
            header, *customers = CalamineWorkbook.from_filelike(file).get_sheet_by_index(0).to_python()

        # The same again every Friday.
        anton.open("Export definitions")
        anton.follow("norway")
        anton.sees("Excel workbook")
        anton.follow("Schedule")
        anton.field("Every").select_option(label="Week")
        anton.field("On day").fill("5")
        anton.press("Schedule")
        anton.open("Schedules")
        anton.sees("norway", "every Friday at 07:00")
        anton.photograph("schedules")

    expected = anton.house.facts(
        "SELECT code, name, city, credit_limit FROM customers_customer WHERE country = 'NO' ORDER BY code"
    )
    columns = [header.index(name) for name in ("code", "name", "city", "credit_limit")]
    assert [tuple(row[column] for column in columns) for row in customers] == expected
    assert {"FJORD", "TYRIH"} < {code for code, *_ in expected}


def write(path: Path, rows: list[list[str]]) -> Path:
    with path.open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([HEADER, *rows])
    return path


def read(anton: Person, file: Path) -> None:
    """Have the worker read a file as Northwind's customers, up to its plan."""
    anton.open("Customers")
    anton.follow("Import")
    anton.field("File").set_input_files(file)
    anton.field("Import profile").select_option(label="Northwind customers")
    anton.press("Read the file")
    anton.sees("Ready for review")


def line(anton: Person, number: int) -> Locator:
    """The row of the plan that stands on a line of the file."""
    cell = anton.page.get_by_role("cell", name=str(number), exact=True)
    return anton.main.get_by_role("row").filter(has=cell.locator("xpath=self::*[count(preceding-sibling::td)=2]"))


def download(anton: Person, name: str) -> Path:
    with anton.page.expect_download() as started:
        anton.follow(name)
    target = anton.folder / started.value.suggested_filename
    started.value.save_as(target)
    return target


def rows_of(file: Path) -> list[list[str]]:
    with file.open(newline="", encoding="utf-8-sig") as opened:
        return list(csv.reader(opened))
