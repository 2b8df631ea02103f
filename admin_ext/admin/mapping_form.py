"""The mapping screen's form: a mapping as inputs, and inputs as a mapping."""

from __future__ import annotations

from typing import Any

from django.db import models
from django.http import QueryDict

from admin_ext.access.fields import fields as field_rights
from admin_ext.transfers.looking_up import offered
from admin_ext.transfers.mapping import folded
from admin_ext.transfers.resources import ModelResource

CONSTANT = "="
ENCODINGS = ("utf-8", "cp1252", "cp1250", "cp1251", "iso8859-15", "utf-16", "shift_jis", "gb18030")
DELIMITERS = ((",", "comma"), (";", "semicolon"), ("\t", "tab"), ("|", "vertical bar"))
READ_NUMBERS = {
    "header_row": "The header row is a number, counted from 1; 0 means that there is no header.",
    "footer_rows": "How many rows at the end are no data is a whole number.",
}
CASES = (("upper", "CAPITALS"), ("lower", "small letters"), ("title", "Each Word"))
TRIMS = (("ends", "at its ends"), ("all", "inside as well"))
NUMBERS = {
    "1.234,56": {"decimal": ",", "thousands": "."},
    "1,234.56": {"decimal": ".", "thousands": ","},
    "1 234,56": {"decimal": ",", "thousands": " "},
    "1'234.56": {"decimal": ".", "thousands": "'"},
    "1234,56": {"decimal": ",", "thousands": ""},
}
# What the screen has inputs for; whatever else a rule says is kept as it is.
SHOWN = {
    *("from", "constant", "aliases", "trim", "case", "replace", "split", "join", "default", "date", "number", "map"),
    *("look_up", "prefix"),
}
_DATE_WORDS = (("YYYY", "%Y"), ("YY", "%y"), ("MM", "%m"), ("DD", "%d"), ("hh", "%H"), ("mm", "%M"), ("ss", "%S"))
ARROW = "=>"


class FormNotUnderstood(ValueError):
    """An input holds what cannot be a part of a mapping; the message says which and why."""


def shown_fields(resource: type[ModelResource], seen: dict[str, Any], actor: Any) -> list[dict[str, Any]]:
    """An entry for each field that the person may bring: where it comes from and what is done to it."""
    model, header = resource.get_model(), seen["header"]
    rules, suggested = seen["mapping"]["columns"], seen["suggested"]
    key = seen["mapping"]["key"]
    unread = field_rights(actor, "import", model).unread
    return [
        _shown(model._meta.get_field(name), rules.get(name, {}), header, suggested.get(name), seen, name in key, actor)
        for name in resource.importable()
        if name not in unread
    ]


def posted_mapping(posted: QueryDict, base: dict[str, Any], header: list[str], resource: Any) -> dict[str, Any]:
    """The mapping that the inputs say, on the ground of the one they showed. Raises FormNotUnderstood."""
    columns = {}
    for name in resource.importable():
        rule = _posted_rule(posted, name, base.get("columns", {}).get(name, {}))
        if rule:
            columns[name] = rule
    key = [name for name in posted.getlist("key") if name in columns] or list(resource.key())
    ignore = [each for each in posted.getlist("ignore") if each in header]
    return {"key": key, "columns": columns, "ignore": ignore, "read": base.get("read") or {}}


def posted_reading(posted: QueryDict) -> dict[str, Any]:
    """How the person wants the file to be read; what they left open is found by looking."""
    read: dict[str, Any] = {
        name: posted[f"read-{name}"] for name in ("encoding", "sheet") if posted.get(f"read-{name}")
    }
    if delimiter := posted.get("read-delimiter"):
        read["delimiter"] = "\t" if delimiter == "tab" else delimiter
    for name, advice in READ_NUMBERS.items():
        if said := posted.get(f"read-{name}", "").strip():
            if not said.isdecimal() or len(said) > 7:
                raise FormNotUnderstood(advice)
            read[name] = int(said)
    if posted.get("read-mend_header"):
        read["mend_header"] = True
    return read


def _shown(
    field: Any, rule: dict[str, Any], header: list[str], suggested: Any, seen: dict[str, Any], is_key: bool, actor: Any
) -> dict[str, Any]:
    column = column_of(rule, header)
    position = header.index(column) if column else None
    examples = [
        row[position] for row in seen["sample"] if position is not None and position < len(row) and row[position]
    ]
    split, join = rule.get("split", {}), rule.get("join", {})
    return {
        "name": field.name,
        "label": str(field.verbose_name).capitalize(),
        "is_key": is_key,
        "is_needed": not (field.blank or field.null or field.has_default() or field.has_db_default()),
        "chosen": column or (CONSTANT if "constant" in rule else ""),
        "missing": rule["from"] if "from" in rule and not column else "",
        "is_numbered": "sequence" in rule,
        "constant": rule.get("constant", ""),
        "examples": ", ".join(dict.fromkeys(examples[:4])),
        "why": suggested["why"] if suggested and suggested["from"] == column else "",
        "offer": suggested if suggested and suggested["from"] != column and not rule else None,
        "is_related": isinstance(field, models.ForeignKey),
        "look_ups": offered(field, actor) if isinstance(field, models.ForeignKey) else [],
        "is_date": isinstance(field, models.DateField),
        "is_number": isinstance(field, models.DecimalField | models.IntegerField | models.FloatField),
        "values": [str(label) for _, label in field.flatchoices][:12],
        "aliases": "; ".join(rule.get("aliases", ())),
        "trim": rule.get("trim", ""),
        "case": rule.get("case", ""),
        "replace": lines_of(rule.get("replace", {})),
        "split_at": split.get("at", ""),
        "split_part": split.get("part", ""),
        "join": join.get("columns", []),
        "join_with": join.get("with", " "),
        "default": rule.get("default", ""),
        "date": in_date_words(rule.get("date", "")),
        "number": next((shown for shown, marks in NUMBERS.items() if marks == rule.get("number")), ""),
        "map": lines_of(rule.get("map", {})),
        "look_up": rule.get("look_up", ""),
        "prefix": rule.get("prefix", ""),
        "is_changed": bool(set(rule) & (SHOWN - {"from", "constant"})),
    }


def column_of(rule: dict[str, Any], header: list[str]) -> str:
    """The column of this file that a rule means, by its name or one of its others."""
    wanted = [folded(each) for each in [rule.get("from", ""), *rule.get("aliases", ())] if each]
    for name in wanted:
        for each in header:
            if each and folded(each) == name:
                return each
    return ""


def _posted_rule(posted: QueryDict, name: str, base: dict[str, Any]) -> dict[str, Any] | None:
    def said(word: str) -> str:
        return posted.get(f"{word}-{name}", "").replace("\x00", "")

    kept = {word: value for word, value in base.items() if word not in SHOWN}
    chosen = posted.get(f"from-{name}")
    if "sequence" in base:
        return base
    if not chosen:
        return None
    if chosen == CONSTANT:
        return {"constant": said("constant")}
    rule: dict[str, Any] = {**kept, "from": chosen}
    aliases = [each.strip() for each in said("aliases").split(";") if each.strip()]
    if column_of(base, [chosen]):
        rule["from"] = base["from"]  # the profile's own name for it; this file has it under another
    if aliases:
        rule["aliases"] = aliases
    rule |= {word: said(word) for word in ("trim", "case", "default", "look_up", "prefix") if said(word)}
    if said("replace").strip():
        rule["replace"] = pairs_of(said("replace"), name)
    if said("map").strip():
        rule["map"] = pairs_of(said("map"), name)
    if said("split_at"):
        rule["split"] = {"at": said("split_at"), "part": _part(said("split_part"), name)}
    if others := [each for each in posted.getlist(f"join-{name}") if each]:
        rule["join"] = {"columns": others, "with": said("join_with")}
    if said("date").strip():
        rule["date"] = from_date_words(said("date").strip(), base.get("date"))
    if said("number") in NUMBERS:
        rule["number"] = NUMBERS[said("number")]
    return rule


def _part(text: str, name: str) -> int:
    try:
        return int(text or 1)
    except ValueError:
        raise FormNotUnderstood(f"{name}: which part is a number, from 1; -1 is the last.") from None


def lines_of(pairs: dict[str, Any]) -> str:
    return "\n".join(f"{old} {ARROW} {new}" for old, new in pairs.items())


def pairs_of(text: str, name: str) -> dict[str, str]:
    """Lines such as “UK => GB”. Raises FormNotUnderstood."""
    pairs = {}
    for line in text.splitlines():
        if not line.strip():
            continue
        old, arrow, new = line.partition(ARROW)
        if not arrow or not old.strip():
            raise FormNotUnderstood(f"{name}: “{line.strip()}” is no pair. Write one on each line, as UK {ARROW} GB.")
        pairs[old.strip()] = new.strip()
    return pairs


def in_date_words(pattern: Any) -> str:
    """A pattern as people write it: DD.MM.YYYY. Several of them stay as they are."""
    text = pattern if isinstance(pattern, str) else " or ".join(pattern)
    for word, sign in _DATE_WORDS:
        text = text.replace(sign, word)
    return text


def from_date_words(text: str, base: Any) -> Any:
    """The pattern again, as programs write it: %d.%m.%Y."""
    if base and text == in_date_words(base):
        return base
    for word, sign in _DATE_WORDS:
        text = text.replace(word, sign)
    return text
