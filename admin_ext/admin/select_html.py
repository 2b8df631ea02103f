"""Selects without templates.

Django's template of a `<select>` is one for every option of it and one more for the attributes of each: the filters of a
list, with two hundred currencies in them, took as long as its hundred rows.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Any

from django.forms.renderers import DjangoTemplates
from django.utils.html import conditional_escape as escape
from django.utils.safestring import SafeString, mark_safe

# As unfold draws it, for one choice.
_WITH_ARROW = (
    '<div class="grow relative max-w-2xl">{}<span class="material-symbols-outlined absolute group-[.primary]:text-white '
    "pointer-events-none mr-[12px] right-0 text-base-400 top-0 top-1/2 hover:text-base-700 dark:text-base-500 "
    'dark:hover:text-base-200 -translate-y-1/2">expand_more</span></div>'
)


class SelectRenderer(DjangoTemplates):
    """Renders forms as Django does, and selects by themselves: the same HTML, but for blanks between the tags."""

    def render(self, template_name: str, context: Any, request: Any = None) -> str:
        drawn = _DRAWN.get(template_name)
        return drawn(context["widget"]) if drawn else super().render(template_name, context, request)


@lru_cache(maxsize=512)
def operator_html(name: str, label: str, choices: tuple[tuple[str, str], ...], chosen: str) -> SafeString:
    """The choice of how a filter compares, beside its label."""
    options = "".join(
        f'<option value="{escape(value)}"{" selected" if value == chosen else ""}>{escape(told)}</option>'
        for value, told in choices
    )
    return mark_safe(  # noqa: S308  every part is escaped
        f'<select name="{escape(name)}" aria-label="{escape(label)}: how" class="ops-operator">{options}</select>'
    )


def _select(widget: Mapping[str, Any]) -> SafeString:
    parts = [f'<select name="{escape(widget["name"])}"{_attributes(widget["attrs"])}>']
    for group, options, _ in widget["optgroups"]:
        if group:
            parts.append(f'<optgroup label="{escape(group)}">')
        parts += [
            f'<option value="{escape(each["value"])}"{_attributes(each["attrs"])}>{escape(each["label"])}</option>'
            for each in options
        ]
        if group:
            parts.append("</optgroup>")
    parts.append("</select>")
    return mark_safe("".join(parts))  # noqa: S308  every part is escaped


def _arrowed(widget: Mapping[str, Any]) -> SafeString:
    return mark_safe(_WITH_ARROW.format(_select(widget)))  # noqa: S308


def _attributes(attributes: Mapping[str, Any]) -> str:
    return "".join(
        f" {escape(name)}" if value is True else f' {escape(name)}="{escape(value)}"'
        for name, value in attributes.items()
        if value is not False
    )


_DRAWN: dict[str, Callable[[Mapping[str, Any]], SafeString]] = {
    "django/forms/widgets/select.html": _select,
    "unfold/widgets/select.html": _arrowed,
}
