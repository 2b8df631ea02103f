"""The regions and warehouses of the demo world."""

from __future__ import annotations

from apps.customers.models import Region
from apps.inventory.models import Warehouse

# code, name, parent
REGIONS = [
    ("EUROPE", "Europe", None),
    ("NORDICS", "Nordics", "EUROPE"),
    ("DACH", "Germany, Austria, Switzerland", "EUROPE"),
    ("WEST", "Western Europe", "EUROPE"),
    ("SOUTH", "Southern Europe", "EUROPE"),
    ("EAST", "Eastern Europe", "EUROPE"),
    ("AMERICAS", "Americas", None),
    ("NORTH-AMERICA", "North America", "AMERICAS"),
    ("LATIN-AMERICA", "Latin America", "AMERICAS"),
    ("APAC", "Asia and Pacific", None),
]


def make_regions() -> dict[str, Region]:
    """Make the tree of regions; call inside a change set."""
    regions: dict[str, Region] = {}
    for code, name, parent in REGIONS:
        regions[code], _ = Region.objects.get_or_create(
            code=code, defaults={"name": name, "parent": regions[parent] if parent else None}
        )
    return regions


# code, name, city, country, parent
WAREHOUSES = [
    ("EU", "Europe", "", "", None),
    ("STO", "Stockholm", "Stockholm", "SE", "EU"),
    ("RTM", "Rotterdam", "Rotterdam", "NL", "EU"),
    ("LIS", "Lisbon", "Lisboa", "PT", "EU"),
    ("SEA", "Seattle", "Seattle", "US", None),
    ("SAO", "São Paulo", "São Paulo", "BR", None),
]


def make_warehouses() -> dict[str, Warehouse]:
    """Make the warehouses; call inside a change set."""
    warehouses: dict[str, Warehouse] = {}
    for code, name, city, country, parent in WAREHOUSES:
        warehouses[code], _ = Warehouse.objects.get_or_create(
            code=code,
            defaults={
                "name": name,
                "city": city,
                "country": country,
                "parent": warehouses[parent] if parent else None,
            },
        )
    return warehouses
