"""unfold's look for forms of our own."""

from __future__ import annotations

from django import forms
from django.contrib.admin.widgets import AutocompleteMixin
from unfold import widgets


def styled(form: forms.Form) -> forms.Form:
    """Give a form unfold's look."""
    for field in form.fields.values():
        style(field)
    return form


def style(field: forms.Field) -> None:
    """Give a field unfold's look."""
    for widget in getattr(field.widget, "widgets", [field.widget]):
        if isinstance(widget, AutocompleteMixin):
            continue
        if isinstance(widget, forms.CheckboxInput):
            widget.attrs.setdefault("class", " ".join(widgets.CHECKBOX_CLASSES))
        elif isinstance(widget, forms.CheckboxSelectMultiple | forms.RadioSelect):
            continue
        elif isinstance(widget, forms.Select):
            classes = widgets.BASE_INPUT_CLASSES if widget.allow_multiple_selected else widgets.SELECT_CLASSES
            widget.attrs.setdefault("class", " ".join(classes))
            if not widget.allow_multiple_selected:
                widget.template_name = "unfold/widgets/select.html"
        elif isinstance(widget, forms.Textarea):
            widget.attrs.setdefault("class", " ".join(widgets.TEXTAREA_CLASSES))
            widget.attrs["rows"] = 3
        elif isinstance(widget, forms.FileInput):
            # unfold's script wants every file input to look like its own.
            field.widget = widgets.UnfoldAdminFileFieldWidget(widget.attrs)
            field.widget.is_required = field.required
        else:
            widget.attrs.setdefault("class", " ".join(widgets.INPUT_CLASSES))
