"""The regions of the demo world."""

from __future__ import annotations

from apps.customers.models import Region

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
