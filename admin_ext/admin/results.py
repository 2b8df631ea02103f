"""The rows of a list as HTML: what is the same in every row is worked out once.

unfold renders every column's header again for every row, a template for every checkbox, and some 700 characters of
classes for every cell. Here a column is prepared once, and the looks of a cell are rules of `opsadmin.css`. Cells mean
what they mean in unfold: links, labels, booleans, headers, empty values and escaping.
"""

from __future__ import annotations

import datetime
import re
from collections.abc import Callable
from decimal import Decimal
from functools import lru_cache
from html import escape  # Django's own asks of each text whether it is a promise
from typing import Any

from django.contrib.admin.helpers import ACTION_CHECKBOX_NAME
from django.contrib.admin.templatetags.admin_list import _coerce_field_name
from django.contrib.admin.templatetags.admin_urls import add_preserved_filters
from django.contrib.admin.utils import lookup_field, quote
from django.core.exceptions import FieldDoesNotExist, ObjectDoesNotExist
from django.db import models
from django.urls import NoReverseMatch
from django.utils.functional import cached_property
from django.utils.html import conditional_escape
from django.utils.safestring import SafeString, mark_safe
from unfold import utils
from unfold.admin import checkbox
from unfold.templatetags.unfold_list import result_headers

# Stands for a row's key in what is prepared for all rows. Letters only: it goes through `quote` and URLs unchanged.
KEY = "OPSADMINKEY"
_SPACES = re.compile(r"[ \t\r\n]+")
# Values that show alike whenever they are equal.
_SAME_EVERYWHERE = (datetime.date, datetime.datetime, Decimal, int)
# What a column's method says of how its values look.
_MARKS = ("label", "boolean", "dropdown", "header")
_SAME_LOOKS = (str, bool, datetime.date, type(None))


class ResultTable:
    """What the template of a list shows: headers, and the rows as one piece of HTML."""

    def __init__(self, changelist: Any) -> None:
        self.changelist = changelist

    @cached_property
    def headers(self) -> list[dict[str, Any]]:
        return list(result_headers(self.changelist))

    @property
    def num_sorted_fields(self) -> int:
        return sum(bool(header["sortable"] and header["sorted"]) for header in self.headers)

    @cached_property
    def has_add_permission(self) -> bool:
        return self.changelist.model_admin.has_add_permission(self.changelist.request)

    @property
    def rows(self) -> SafeString:
        columns = [
            _column(self.changelist, place, name, self.headers[place]["text"])
            for place, name in enumerate(self.changelist.list_display)
        ]
        parts: list[str] = []
        for row in self.changelist.result_list:
            parts.append('<tr class="data-row">')
            parts += [cell(row) for cell in columns]
            parts.append("</tr>\n")
        return mark_safe("".join(parts))  # noqa: S308  every cell is escaped below


def can_show(changelist: Any) -> bool:
    """Whether the list has nothing that only unfold's own rows have: cells to edit, sections, rows to drag, row actions."""
    own = ("ordering_field", "list_sections", "actions_row")
    return not changelist.formset and not any(getattr(changelist.model_admin, name, None) for name in own)


def _column(changelist: Any, place: int, name: Any, text: Any) -> Callable[[Any], str]:
    """A function that makes the column's cell of a row."""
    if name == "action_checkbox":
        return _checkbox(changelist)
    css, label = f"field-{_coerce_field_name(name, place)}", escape(str(text))
    show = _shown(changelist, name)
    if not _is_link(changelist, place, name):

        def cell(row: Any) -> str:
            shown, short = show(row)
            return f'<td class="{css}{" nowrap" if short else ""}" data-label="{label}">{shown}</td>'

        return cell
    tag = "th" if _is_first(changelist, place) else "td"
    scope = ' scope="row"' if tag == "th" else ""
    link = _link(changelist)

    def linked(row: Any) -> str:
        shown, short = show(row)
        css_now = f"{css} nowrap" if short else css
        return f'<{tag}{scope} class="{css_now}" data-label="{label}">{link(row, shown)}</{tag}>'

    return linked


def _is_first(changelist: Any, place: int) -> bool:
    """Whether no column before this one is a link."""
    return not any(_is_link(changelist, each, changelist.list_display[each]) for each in range(place))


def _is_link(changelist: Any, place: int, name: Any) -> bool:
    links = changelist.list_display_links
    if links is None:
        return False
    if links:
        return name in links
    return name == next((each for each in changelist.list_display if each != "action_checkbox"), None)


def _checkbox(changelist: Any) -> Callable[[Any], str]:
    """Its row is named for who listens."""
    box = checkbox.render(ACTION_CHECKBOX_NAME, KEY)
    before, _, after = _SPACES.sub(" ", box).strip().partition(KEY)
    label = 'aria-label="'
    start, found, rest = after.partition(label)
    _, _, rest = rest.partition('"')

    def cell(row: Any) -> str:
        said = f'{start}{label}Select {escape(str(row))}"{rest}' if found else after
        return f'<td class="action-checkbox" data-label="Select record">{before}{row.pk}{said}</td>'

    return cell


def _link(changelist: Any) -> Callable[[Any, str], str]:
    """Leads to the row's page, with the way back to this list; the address is made once."""
    attribute = str(changelist.to_field or changelist.lookup_opts.pk.attname)

    class Row:
        pass

    stand_in = Row()
    setattr(stand_in, changelist.pk_attname, KEY)
    try:
        address = changelist.url_for_result(stand_in)
    except NoReverseMatch:
        return lambda row, shown: shown
    whole = add_preserved_filters({"preserved_filters": changelist.preserved_filters, "opts": changelist.opts}, address)
    before, _, after = escape(str(whole)).partition(KEY)

    def link(row: Any, shown: str) -> str:
        opener = f' data-popup-opener="{escape(str(row.serializable_value(attribute)))}"' if changelist.is_popup else ""
        key = escape(str(quote(getattr(row, changelist.pk_attname))))
        return f'<a href="{before}{key}{after}" class="ops-row-link"{opener}>{shown}</a>'

    return link


def _shown(changelist: Any, name: Any) -> Callable[[Any], tuple[str, bool]]:
    """A function that tells what a cell shows, as HTML, and whether it is to stay on one line."""
    options, empty = changelist.model_admin, changelist.model_admin.get_empty_value_display()
    field = _field(changelist, name)
    if field is not None:
        return _field_shown(field, empty)
    # What Django's `lookup_field` would find anew for every row.
    if callable(name):
        attribute: Any = name
    elif isinstance(name, str) and hasattr(options, name) and name != "__str__":
        attribute = getattr(options, name)
    else:
        attribute = None
    memo: dict[Any, str] = {}
    is_plain = attribute is not None and not any(getattr(attribute, mark, False) for mark in _MARKS)

    def show(row: Any) -> tuple[str, bool]:
        found = attribute
        try:
            if found is None:
                _, found, value = lookup_field(name, row, options)
            else:
                value = found(row)
        except ObjectDoesNotExist:
            return conditional_escape(empty), False
        if is_plain and type(value) is SafeString:  # a link, most of the time
            return value, False
        return _value_shown(row, name, found, value, empty, memo), isinstance(value, datetime.date | datetime.time)

    return show


def _field(changelist: Any, name: Any) -> models.Field | None:
    """The model's own field of that name; what came with it for others' use is shown as any value."""
    try:
        field = changelist.lookup_opts.get_field(name)
    except (FieldDoesNotExist, TypeError):
        return None
    plain = isinstance(field, models.Field) and not field.auto_created and name == field.name
    return field if plain and not field.many_to_many else None


def _field_shown(field: Any, empty: str) -> Callable[[Any], tuple[str, bool]]:
    short = isinstance(field, models.DateField | models.TimeField | models.ForeignKey)
    kept = (*_SAME_LOOKS, Decimal, int)
    memo: dict[Any, str] = {}

    def show(row: Any) -> tuple[str, bool]:
        try:
            value = getattr(row, field.name)
        except ObjectDoesNotExist:
            return conditional_escape(empty), False
        if field.is_relation:
            return conditional_escape(empty if value is None else value), short
        if type(value) not in kept:
            return conditional_escape(utils.display_for_field(value, field, empty)), short
        key = (type(value), value)
        if key not in memo:
            is_day = type(value) is datetime.date and not field.choices
            memo[key] = (
                _day(value) if is_day else _tidy(conditional_escape(utils.display_for_field(value, field, empty)))
            )
        return memo[key], short

    return show


@lru_cache(maxsize=4096)
def _day(day: datetime.date) -> str:
    """A day, which shows alike on every page."""
    return conditional_escape(utils.display_for_value(day, ""))


def _value_shown(row: Any, name: Any, attribute: Any, value: Any, empty: str, memo: dict[Any, str]) -> str:
    empty = getattr(attribute, "empty_value_display", empty)
    label, boolean = getattr(attribute, "label", False), getattr(attribute, "boolean", False)
    if label or boolean:
        key = (type(value), value) if isinstance(value, _SAME_LOOKS) or _is_words(value) else None
        if key is None or key not in memo:
            if key is None:
                return _marked(value, label, empty, boolean)
            if isinstance(value, datetime.date):  # an instant shows otherwise in each zone
                memo[key] = _marked(value, label, empty, boolean)
            else:
                looks = tuple(label.items()) if isinstance(label, dict) else label
                memo[key] = _marked_again(key, looks, empty, boolean)
        return memo[key]
    if getattr(attribute, "dropdown", False):
        return conditional_escape(utils.display_for_dropdown(row, name, value, empty))
    if getattr(attribute, "header", False):
        return _tidy(conditional_escape(utils.display_for_header(value, empty)))
    if type(value) not in _SAME_EVERYWHERE:
        return conditional_escape(utils.display_for_value(value, empty, boolean))
    # By its text: a decimal is equal to one of other decimals.
    if (same := (type(value), str(value))) not in memo:
        memo[same] = conditional_escape(utils.display_for_value(value, empty, boolean))
    return memo[same]


def _marked(value: Any, label: Any, empty: str, boolean: bool) -> str:
    """A label, or the sign of a yes or no."""
    shown = utils.display_for_label(value, empty, label) if label else utils.display_for_value(value, empty, boolean)
    return _tidy(conditional_escape(shown))


@lru_cache(maxsize=2048)
def _marked_again(key: tuple[type, Any], looks: Any, empty: str, boolean: bool) -> str:
    """The same, which is the same on every page."""
    return _marked(key[1], dict(looks) if isinstance(looks, tuple) else looks, empty, boolean)


def _is_words(value: Any) -> bool:
    return isinstance(value, tuple) and all(type(each) is str for each in value)


def _tidy(html: str) -> str:
    """Without the line breaks and indents of a template."""
    return SafeString(_SPACES.sub(" ", html).strip()) if "<" in html else html
