"""In which encoding a text file is written, found by reading all of its bytes once."""

import codecs
from dataclasses import dataclass
from pathlib import Path

from charset_normalizer import from_bytes

from .table import FileNotReadable

LONGEST_LINE = 16 << 20  # bytes; a longer line is no table, and would be held in memory as a whole
_CHUNK = 1 << 20
_SAMPLE = 1 << 16  # bytes of lines with accents, enough to tell one alphabet from another

_MARKS = (  # the longer mark first: UTF-32 little-endian begins like UTF-16 little-endian
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
_WESTERN = "cp1252"
_SUSPECTS = [
    *("cp1252", "cp1250", "cp1251", "cp1253", "cp1254", "cp1255", "cp1256", "cp1257"),
    *("iso8859_2", "iso8859_5", "iso8859_7", "koi8_r", "cp437", "cp850"),
    *("cp932", "gb18030", "big5", "euc_jp", "euc_kr"),
]
_ENOUGH_ACCENTS = 16  # with fewer, every guess but the usual one is noise
_PEOPLE_SAY = {"cp1252": "Windows-1252 (Western)", "cp1250": "Windows-1250 (Central European)"}


@dataclass(frozen=True)
class Encoding:
    """How to decode a file. `damaged` = single bytes may not decode; they come out as surrogates, found row by row."""

    name: str
    damaged: bool = False
    notes: tuple[str, ...] = ()

    @property
    def errors(self) -> str:
        return "surrogateescape" if self.damaged else "strict"


def find_encoding(path: Path, asked: str | None = None) -> Encoding:
    """Give the encoding asked for, or the one that a mark, the zeros, or the letters of the file speak for.

    Raises FileNotReadable over NUL characters and over lines longer than LONGEST_LINE.
    """
    with path.open("rb") as file:
        head = file.read(4096)
    wide = _by_mark(head) or _by_zeros(head)
    name = _asked_with_mark(asked, head) if asked else wide
    if name and _is_wide(name):
        _refuse_nul_characters(path, name)
        return Encoding(name, notes=_told_wide(name, head, asked))
    seen = _survey(path)
    if name and name not in ("utf-8", "utf-8-sig"):
        return Encoding(name, damaged=_is_ascii_based(name))
    if not seen.foreign:
        return Encoding(name or "utf-8", damaged=False)
    if seen.bad_line is None:
        return Encoding(name or "utf-8", notes=() if name else ("Read as UTF-8.",))
    if name or _mostly_utf8(seen.foreign):
        broken = f"Read as UTF-8, but some bytes are not UTF-8 (first on line {seen.bad_line}); those rows are refused."
        return Encoding(name or "utf-8", damaged=True, notes=(broken,))
    return _by_letters(seen)


@dataclass
class _Survey:
    foreign: bytes = b""  # lines that hold bytes above 127
    bad_line: int | None = None  # first line that is not UTF-8


def _survey(path: Path) -> _Survey:
    """Read the whole file in constant memory: is it UTF-8, are there NULs, how long are its lines."""
    seen = _Survey()
    decoder = codecs.getincrementaldecoder("utf-8")("strict")
    line, run, last = 1, 0, b""
    with path.open("rb") as file:
        while chunk := file.read(_CHUNK):
            if (nul := chunk.find(b"\0")) >= 0:
                _refuse_nul(line + _line_ends(chunk[:nul], last))
            if not chunk.isascii() and len(seen.foreign) < _SAMPLE:
                seen.foreign += b"\n".join(line for line in chunk.splitlines() if not line.isascii())[:_SAMPLE]
            if seen.bad_line is None:
                try:
                    decoder.decode(chunk)
                except UnicodeDecodeError as bad:
                    seen.bad_line = line + _line_ends(chunk[: bad.start], last)
            ends = _line_ends(chunk, last)
            run = run + len(chunk) if not ends else len(chunk) - max(chunk.rfind(b"\n"), chunk.rfind(b"\r")) - 1
            if run > LONGEST_LINE:
                _refuse_long_line(line + ends)
            line, last = line + ends, chunk[-1:]
    if seen.bad_line is None and decoder.getstate()[0]:
        seen.bad_line = line
    return seen


def _line_ends(chunk: bytes, before: bytes) -> int:
    """Count the ends of lines: LF, CR, or both together, even when the pair was cut in two."""
    ends = chunk.count(b"\n") + chunk.count(b"\r") - chunk.count(b"\r\n")
    return ends - 1 if before == b"\r" and chunk.startswith(b"\n") else ends


def _refuse_nul(line: int) -> None:
    raise FileNotReadable(
        "The file holds a NUL byte, which no text may hold",
        line=line,
        advice="The file was damaged on its way, or it is not a text file. Export it again.",
    )


def _refuse_long_line(line: int) -> None:
    raise FileNotReadable(
        f"A line is longer than {LONGEST_LINE >> 20} MB",
        line=line,
        advice="A table has line breaks between its rows. Export the file again.",
    )


def _refuse_nul_characters(path: Path, encoding: str) -> None:
    line, run = 1, 0
    with path.open(encoding=encoding, newline="") as text:
        try:
            while chunk := text.read(_CHUNK):
                if (nul := chunk.find("\0")) >= 0:
                    _refuse_nul(line + chunk[:nul].count("\n"))
                ends = chunk.count("\n") or chunk.count("\r")
                run = 0 if ends else run + len(chunk)
                if run > LONGEST_LINE:
                    _refuse_long_line(line)
                line += ends
        except UnicodeError as bad:
            raise not_decodable(encoding, line) from bad


def not_decodable(encoding: str, line: int) -> FileNotReadable:
    """Give the fact that the bytes after `line` are not text in this encoding."""
    return FileNotReadable(
        f"The bytes after this point are not {encoding} text",
        line=line,
        advice="Choose another encoding, or export the file again: it may be cut off.",
    )


def _by_mark(head: bytes) -> str | None:
    return next((name for mark, name in _MARKS if head.startswith(mark)), None)


def _by_zeros(head: bytes) -> str | None:
    """UTF-16 and UTF-32 without a mark betray themselves: Latin letters and delimiters carry zeros in fixed places."""
    if b"\0" not in head:
        return None
    quarters = [head[place::4].count(0) * 4 / len(head) for place in range(4)]
    often = [share > 0.6 for share in quarters]
    never = [share < 0.1 for share in quarters]
    if len(head) % 4 == 0 and often[1:] == [True] * 3 and never[0]:
        return "utf-32-le"
    if len(head) % 4 == 0 and often[:3] == [True] * 3 and never[3]:
        return "utf-32-be"
    if len(head) % 2 == 0 and len(head) >= 4:
        if often[1] and often[3] and never[0] and never[2]:
            return "utf-16-le"
        if often[0] and often[2] and never[1] and never[3]:
            return "utf-16-be"
    return None


def _asked_with_mark(asked: str, head: bytes) -> str:
    """A mark at the start is never part of the first value, whatever spelling of the encoding was asked for."""
    name = codecs.lookup(asked).name
    marked = _by_mark(head)
    if marked and name.startswith(marked.removesuffix("-sig")):
        return marked
    return "cp1252" if name == "iso8859-1" else name  # as browsers do: nobody means the control characters of Latin-1


def _is_wide(name: str) -> bool:
    return name.startswith(("utf-16", "utf-32"))


def _is_ascii_based(name: str) -> bool:
    """Single bytes can be carried as surrogates only where ASCII is ASCII and one byte is one letter."""
    return codecs.lookup(name).name.startswith(("cp125", "iso8859", "koi8", "mac", "ascii", "cp437", "cp85"))


def _told_wide(name: str, head: bytes, asked: str | None) -> tuple[str, ...]:
    if asked:
        return ()
    because = "it begins with the mark for it" if _by_mark(head) else "of the zeros between its letters"
    return (f"Read as {name.upper()} because {because}.",)


def _mostly_utf8(sample: bytes) -> bool:
    """A UTF-8 file with a few broken bytes is still a UTF-8 file: accents in other encodings hardly ever form UTF-8."""
    text = sample.decode("utf-8", "surrogateescape")
    broken = sum("\udc80" <= character <= "\udcff" for character in text)
    whole = sum(character > "\x7f" for character in text) - broken
    return whole > broken


def _by_letters(seen: _Survey) -> Encoding:
    name = _likeliest(seen.foreign)
    people_say = _PEOPLE_SAY.get(name, name)
    note = (
        f"Read as {people_say} because the file is not UTF-8 (first on line {seen.bad_line}) and its letters fit best; "
        "choose another encoding if names look wrong."
    )
    return Encoding(name, damaged=_is_ascii_based(name), notes=(note,))


def _likeliest(sample: bytes) -> str:
    """Windows-1252 unless there are letters enough to speak for something else, and they do."""
    if sum(byte > 127 for byte in sample) < _ENOUGH_ACCENTS:
        return _WESTERN
    matches = list(from_bytes(sample, cp_isolation=_SUSPECTS))
    if not matches:
        return _WESTERN
    best = matches[0]
    for match in matches:
        if _WESTERN in match.could_be_from_charset and (match.chaos, -match.coherence) <= (best.chaos, -best.coherence):
            return _WESTERN
    fits_western = "\ufffd" not in sample.decode(_WESTERN, "replace")
    return _WESTERN if fits_western and not best.coherence else codecs.lookup(best.encoding).name
