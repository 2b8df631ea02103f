"""Selects are drawn as Django's and unfold's templates draw them, but for blanks between the tags."""

from __future__ import annotations

import re
from typing import Any

import pytest
from django import forms
from django.conf import settings
from django.forms.renderers import DjangoTemplates
from django.utils.safestring import mark_safe
from hypothesis import given
from hypothesis import strategies as st

from admin_ext.admin.select_html import SelectRenderer

TEXTS = st.text(st.characters(codec="utf-8", exclude_categories=["Cc", "Cs"]), max_size=8) | st.sampled_from(
    ['<b>"&amp;', "a'b", mark_safe("<i>safe</i>"), "", " "]
)
OPTIONS = st.tuples(TEXTS | st.integers(), TEXTS)
CHOICES = st.lists(OPTIONS | st.tuples(TEXTS.filter(bool), st.lists(OPTIONS, max_size=3)), max_size=5)


def drawn(widget: forms.Widget, chosen: Any, renderer: Any) -> str:
    """Without the blanks that templates leave, inside of texts as well as between tags."""
    html = widget.render("field", chosen, {"id": "id_field", "required": True, "disabled": False}, renderer=renderer())
    return re.sub(r"\s+", "", html)


@pytest.mark.parametrize("template", ["django/forms/widgets/select.html", "unfold/widgets/select.html"])
@pytest.mark.parametrize("kind", [forms.Select, forms.SelectMultiple, forms.NullBooleanSelect])
@given(choices=CHOICES, chosen=st.lists(TEXTS | st.integers(), max_size=3), label=TEXTS)
def test_a_select_is_drawn_as_by_its_template(template: str, kind: Any, choices: Any, chosen: Any, label: str) -> None:
    arguments = {} if kind is forms.NullBooleanSelect else {"choices": choices}
    widget = kind(attrs={"class": "x y", "aria-label": label}, **arguments)
    widget.template_name = template
    value = chosen if kind is forms.SelectMultiple else (chosen or [None])[0]
    assert drawn(widget, value, SelectRenderer) == drawn(widget, value, DjangoTemplates)


def test_the_product_draws_its_forms_with_it() -> None:
    assert settings.FORM_RENDERER == "admin_ext.admin.select_html.SelectRenderer"
