"""What a person may say about a file, and what was found when they said nothing."""

import codecs
from dataclasses import asdict, dataclass, field, fields
from typing import Any

FORMATS = ("csv", "xlsx", "xlsb", "xls", "ods")


class OptionNotUsable(Exception):
    """An option names something that does not exist, or has a value that can mean nothing."""


@dataclass(frozen=True)
class ReadOptions:
    """How to read one file. `None` means "look and find out".

    The same class tells what was really used (`Table.detected`), so the answer of one reading,
    changed by a person or not, is the question of the next and gives the same table.
    """

    format: str | None = None  # one of FORMATS; "csv" is any delimited text
    encoding: str | None = None  # a Python codec name
    delimiter: str | None = None  # one character
    quote: str | None = None  # one character; "" = quotes mean nothing in this file
    escape: str | None = None  # one character before a quote inside a value; "" = quotes are doubled
    skip_initial_space: bool | None = None  # blanks after a delimiter are layout, not value
    sheet: str | None = None  # name of a sheet, hidden or not
    header_row: int | None = None  # 1-based line of the file or row of the sheet; 0 = there is no header
    mend_header: bool | None = None  # blank and double names in the header get a number instead of a refusal
    footer_rows: int | None = None  # how many rows at the end are no data: totals, signatures
    notes: tuple[str, ...] = field(default=(), compare=False)  # what was found, in sentences for people

    def __post_init__(self) -> None:
        if self.format not in (None, *FORMATS):
            raise OptionNotUsable(f"There is no format “{self.format}”. Use one of: {', '.join(FORMATS)}.")
        if self.delimiter is not None and (len(self.delimiter) != 1 or self.delimiter in "\r\n"):
            raise OptionNotUsable("The delimiter must be exactly one character.")
        for name in ("quote", "escape"):
            if len(getattr(self, name) or "") > 1:
                raise OptionNotUsable(f"The {name} must be one character, or empty for none.")
        if self.delimiter and self.delimiter in (self.quote, self.escape):
            raise OptionNotUsable("The delimiter cannot be the quote or the escape character as well.")
        if self.header_row is not None and self.header_row < 0:
            raise OptionNotUsable("The header row is counted from 1; 0 means there is no header.")
        if self.footer_rows is not None and self.footer_rows < 0:
            raise OptionNotUsable("The number of rows to leave out at the end cannot be negative.")
        if self.encoding is not None and not _is_text_encoding(self.encoding):
            raise OptionNotUsable(f"There is no encoding “{self.encoding}”. Try utf-8 or cp1252.")

    def to_json(self) -> dict[str, Any]:
        """Give the options as plain JSON values."""
        return asdict(self) | {"notes": list(self.notes)}

    @classmethod
    def from_json(cls, stored: dict[str, Any]) -> "ReadOptions":
        """Take back what `to_json` gave; names that a later version dropped are passed over."""
        known = {item.name for item in fields(cls)}
        kept = {name: value for name, value in stored.items() if name in known}
        return cls(**kept | {"notes": tuple(kept.get("notes", ()))})


def _is_text_encoding(name: str) -> bool:
    try:
        codecs.lookup(name)
        "".encode(name)  # refuses codecs such as "hex" that do not turn text into bytes
    except (LookupError, ValueError):
        return False
    return True
