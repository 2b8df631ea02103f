"""Text that a spreadsheet would run as a formula, made harmless and brought back unharmed.

Spreadsheets run a cell of a CSV file that begins with one of a few characters, whoever wrote it
(OWASP, "CSV Injection"). A single quote in front makes it text. Numbers and dates are never touched,
nor text that is a plain number: `-3.5` stays `-3.5`.
"""

import re

BREAKS = frozenset("\t\r\n")
TRIGGERS = BREAKS | frozenset("=+-@＝＋－＠")  # the full-width ones are turned into plain ones by some Excels
BLANKS = " \t\r\n\x0b\x0c\xa0\u200b\u3000\ufeff"  # what a spreadsheet drops before it looks
NEEDS_A_LOOK = TRIGGERS | frozenset(BLANKS) | {"'"}
_PLAIN_NUMBER = re.compile(r"[+-]?[0-9]+([.,][0-9]+)*([eE][+-]?[0-9]+)?")


def neutralise(text: str) -> str:
    """Give the text as it may stand in a CSV file: with a quote in front where it could run, else unchanged.

    `strip_neutralising(neutralise(text)) == text` for every text.
    """
    if text and text[0] in NEEDS_A_LOOK and _could_run(text):
        return "'" + text
    return text


def strip_neutralising(text: str) -> str:
    """Take away the quote that `neutralise` put in front, and no other quote."""
    if text.startswith("'") and _could_run(text[1:]):
        return text[1:]
    return text


def _could_run(text: str) -> bool:
    """Quotes in front do not count: text that is already `'=1+1` gets one more, so that one can be taken away."""
    bare = text.lstrip("'")
    if not bare or bare[0] not in NEEDS_A_LOOK:
        return False
    if bare[0] in BREAKS:
        return True
    seen = bare.lstrip(BLANKS)
    return bool(seen) and seen[0] in TRIGGERS and not _PLAIN_NUMBER.fullmatch(seen)
