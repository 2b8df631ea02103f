"""How the values of a text file are delimited and quoted, found by trying on its first lines."""

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace

from .header import find_header
from .options import ReadOptions
from .records import Dialect, Record, records

_DELIMITERS = "\t|;,"  # of equals the first: commas in decimals and texts are common, the others are not
_LOOKED_AT = 1 << 18  # characters; lines may be very long
_SEPARATOR_LINE = re.compile(r'"?sep=(.)"?[\r\n]*', re.I)
_SPOKEN = {",": "commas", ";": "semicolons", "\t": "tabs", "|": "vertical bars", " ": "spaces"}


@dataclass(frozen=True)
class Sample:
    """The first lines of a text file, as the file has them."""

    lines: Sequence[str]
    whole: bool  # nothing follows them

    def records(self, dialect: Dialect, *, skip: int = 0) -> list[Record]:
        """Give the records after the first `skip` lines; one cut off by the end of the sample is left out."""
        found = list(records(self.lines[skip:], dialect, first_line=skip + 1))
        return found if self.whole or len(found) < 2 else found[:-1]


def separator_line(first_line: str) -> str | None:
    """Give the delimiter that a line such as `sep=;` announces. Excel writes and obeys it."""
    announced = _SEPARATOR_LINE.fullmatch(first_line)
    return announced[1] if announced else None


def find_dialect(sample: Sample, asked: ReadOptions, *, skip: int = 0) -> Dialect:
    """Give the dialect asked for, with what was not said found in the sample."""
    quote = asked.quote if asked.quote is not None else _find_quote(sample)
    start = Dialect(quote=quote, escape=asked.escape or "", skip_initial_space=bool(asked.skip_initial_space))
    if asked.delimiter:
        dialect = replace(start, delimiter=asked.delimiter)
    else:
        fits = {mark: _fit(sample, replace(start, delimiter=mark), skip) for mark in _DELIMITERS if mark != quote}
        best = max(fits, key=fits.__getitem__)
        dialect = replace(start, delimiter=best if fits[best] > _NO_FIT else ",")
    if asked.escape is None:
        dialect = _with_escape(sample, dialect, skip)
    if asked.skip_initial_space is None:
        dialect = _with_initial_space(sample, dialect, skip)
    return dialect


def spoken(delimiter: str) -> str:
    """Name a delimiter for people, in the plural."""
    return _SPOKEN.get(delimiter, f"“{delimiter}”")


_Fit = tuple[bool, bool, float, int]
_NO_FIT: _Fit = (False, False, 0.0, 0)


def _fit(sample: Sample, dialect: Dialect, skip: int) -> _Fit:
    """Rate a delimiter: the header is as wide as most rows, stands first, most rows agree, many columns."""
    rows = [cells for _, cells, _ in sample.records(dialect, skip=skip) if any(cells)]
    if not rows:
        return _NO_FIT
    width, agreeing = Counter(map(len, rows)).most_common(1)[0]
    if width < 2:
        width, agreeing = max(((w, n) for w, n in Counter(map(len, rows)).items()), default=(1, 0))
    if width < 2:
        return _NO_FIT
    header = find_header(rows)
    return (len(rows[header]) == width, header == 0, agreeing / len(rows), width)


def _find_quote(sample: Sample) -> str:
    """The double quote, unless the text has none and wraps whole values in single ones."""
    text = "".join(sample.lines)[:_LOOKED_AT]
    wrapped = re.findall(r"(?m)(?:^|[,;\t|])'[^'\r\n]*'(?=[,;\t|]|\r?$)", text)
    return "'" if len(wrapped) >= 2 and '"' not in text else '"'


def _with_escape(sample: Sample, dialect: Dialect, skip: int) -> Dialect:
    """Take the backslash for an escape only where the file cannot be read without it."""
    if not dialect.quote or not any(f"\\{dialect.quote}" in line for line in sample.lines):
        return dialect
    escaping = replace(dialect, escape="\\")
    return escaping if _broken(sample, escaping, skip) < _broken(sample, dialect, skip) else dialect


def _with_initial_space(sample: Sample, dialect: Dialect, skip: int) -> Dialect:
    """Blanks before quotes are layout when at least half of the records have them (`"a", "b"`)."""
    if not dialect.quote or dialect.delimiter == " ":
        return dialect
    rows = [cells for _, cells, _ in sample.records(dialect, skip=skip) if any(cells)]
    spaced = sum(any(cell[:1] == " " and cell.lstrip(" ")[:1] == dialect.quote for cell in cells) for cells in rows)
    return replace(dialect, skip_initial_space=True) if spaced and spaced * 2 >= len(rows) else dialect


def _broken(sample: Sample, dialect: Dialect, skip: int) -> int:
    return sum(problem is not None for _, _, problem in sample.records(dialect, skip=skip))
