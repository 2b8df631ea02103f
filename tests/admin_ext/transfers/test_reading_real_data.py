"""Real files that nobody here made give exactly the rows that are known to be in them."""

import pytest

from admin_ext.transfers.reading import ReadOptions, open_table


@pytest.mark.parametrize(
    ("name", "rows"),
    [
        ("northwind/customers.csv", 91),
        ("northwind/suppliers.csv", 29),
        ("northwind/products.csv", 77),
        ("northwind/categories.csv", 8),
        ("northwind/orders.csv", 830),
        ("northwind/order_details.csv", 2155),
        ("northwind/shippers.csv", 3),
        ("northwind/employees.csv", 9),
        ("adventureworks/Product.csv", 504),
        ("adventureworks/Vendor.csv", 104),
        ("adventureworks/PurchaseOrderHeader.csv", 4012),
        ("adventureworks/PurchaseOrderDetail.csv", 8845),
        ("adventureworks/ProductInventory.csv", 1069),
        ("adventureworks/CurrencyRate.csv", 13532),
        ("scms-deliveries/SCMS_Delivery_History_Dataset.csv", 10324),
        ("nyc-311/311_Animals_short.csv", 4969),
        ("reference/country-codes.csv", 249),
        ("reference/codes-all.csv", 449),
        ("spreadsheets/government_contracts.csv", 6422),
    ],
)
def test_every_row_is_there_and_whole(real_data, name, rows):
    read = list(open_table(real_data / name).rows())
    assert len(read) == rows
    assert [row for row in read if row.problem] == []


@pytest.mark.parametrize(
    ("name", "rows", "damaged"), [("customers", 91, 24), ("orders", 830, 176), ("suppliers", 29, 9)]
)
def test_exactly_the_rows_shifted_by_a_comma_are_flagged(real_data, name, rows, damaged):
    """A row is damaged where the well-quoted twin of the file has a comma in a value."""
    read = list(open_table(real_data / "northwind-unquoted" / f"{name}.csv").rows())
    whole = list(open_table(real_data / "northwind" / f"{name}.csv").rows())
    flagged = {row.number for row in read if row.problem}
    assert (len(read), len(flagged)) == (rows, damaged)
    assert flagged == {row.number for row in whole if any("," in str(cell) for cell in row.cells)}


@pytest.mark.parametrize("name", ["customers", "orders", "suppliers"])
def test_names_survive_windows_1252_however_few_they_are(real_data, write, name):
    """Three rows have too few accents for a guess; a wrong one turns München into M³nchen."""
    lines = (real_data / "northwind" / f"{name}.csv").read_text(encoding="utf-8").splitlines(keepends=True)
    header, accented = lines[0], [line for line in lines[1:] if not line.isascii()]
    for start in range(0, len(accented), 3):
        text = header + "".join(accented[start : start + 3])
        as_unicode = [row.cells for row in open_table(write(text)).rows()]
        assert [row.cells for row in open_table(write(text.encode("cp1252"))).rows()] == as_unicode


@pytest.mark.corpus
def test_a_year_of_retail_files_has_every_line(real_data):
    files = sorted((real_data / "online-retail").glob("*.csv"))
    lines = credits = nobody = 0
    for path in files:
        table = open_table(path)
        invoice, customer = table.header.index("InvoiceNo"), table.header.index("CustomerID")
        for row in table.rows():
            assert row.problem is None
            lines += 1
            credits += row.cells[invoice].startswith("C")
            nobody += not row.cells[customer]
    assert (len(files), lines, credits, nobody) == (305, 541_909, 9_288, 135_080)


@pytest.mark.parametrize(
    ("name", "sheet", "header_row", "first"),
    [
        ("03FAC_example.xlsx", "Service Pricing", 1, "SIN(s) Proposed"),
        ("r10_example.xlsx", "Service Pricing", 1, "SIN(s) Proposed"),
        ("s70_example.xlsx", "(2)Products Categories", 3, "SIN"),
        ("s736_example.xlsx", "Professional Market Prce Escala", 11, "SIN PROPOSED"),
    ],
)
def test_price_lists_are_found_behind_their_instructions(real_data, name, sheet, header_row, first):
    table = open_table(real_data / "spreadsheets" / name)
    assert (table.detected.sheet, table.detected.header_row, table.header[0]) == (sheet, header_row, first)
    assert next(iter(table.rows())).line > header_row


def test_another_sheet_of_a_price_list_is_a_choice(real_data):
    options = ReadOptions(sheet="(3)Labor Categories")
    table = open_table(real_data / "spreadsheets" / "s70_example.xlsx", options=options)
    first = next(iter(table.rows()))
    assert first.cells[:4] == ["132-51", "Project Manager", "Bachelors", 5]
    assert any(sheet.hidden for sheet in open_table(real_data / "spreadsheets" / "03FAC_example.xlsx").sheets)
