"""Rights in the words of work: "May see orders and ship them; may see customers"."""

from __future__ import annotations

from collections.abc import Container, Iterable, Sequence
from typing import Any

from django.apps import apps
from django.contrib.auth.models import Permission

from admin_ext.access.scopes import scope_models
from admin_ext.granting.people import action_of
from admin_ext.models import RECORD_PERMISSIONS

# The rights that every kind of record has, as people say them; `grant` and `handover` need more words than one.
WORDS = {
    "view": "see",
    "add": "add",
    "change": "change",
    "delete": "delete",
    "import": "import",
    "export": "export",
    "handover": "hand over",
    "grant": "give grants on",
    "reveal": "reveal masked values of",
}
assert set(WORDS) == set(RECORD_PERMISSIONS)


def in_words(right: Permission) -> str:
    """What a right lets somebody do: "ship orders"; every place of a dimension: "everywhere, …"."""
    if right.codename.startswith("access_all_"):
        dimension = right.codename.removeprefix("access_all_")
        model = next((each for each in scope_models() if each.dimension == dimension), None)  # type: ignore[attr-defined]
        kind = model._meta.verbose_name_plural if model else f"{dimension}s"
        return f"work everywhere, not only in their {kind}"
    return right.name.removeprefix("Can ")


def kind_of(right: Permission) -> str:
    """What a right is over, as people name it: "orders"."""
    return kind_plural(right.content_type.app_label, right.content_type.model)


def kind_plural(app: str, model: str) -> str:
    try:
        return str(apps.get_model(app, model)._meta.verbose_name_plural)
    except LookupError:
        return model


def told_right(right: Permission) -> str:
    """A right by itself: "see orders", "ship orders"."""
    action = right.codename.removesuffix(f"_{right.content_type.model}")
    return f"{WORDS[action]} {kind_of(right)}" if action in WORDS else in_words(right)


def told_action(model: Any, action: str) -> str:
    """What somebody does who uses an action on rows of a model: "see orders", "ship orders"."""
    if action in WORDS:
        return f"{WORDS[action]} {model._meta.verbose_name_plural}"
    codename = f"{action}_{model._meta.model_name}"
    right = Permission.objects.filter(content_type__app_label=model._meta.app_label, codename=codename).first()
    return in_words(right) if right else f"{action} {model._meta.verbose_name_plural}"


def sentence(rights: Iterable[Permission], *, kinds: int | None = None) -> str:
    """What a role lets its holders do, as one sentence; of the first few `kinds` of records only, if told so.

    The rights need their content types.
    """
    told: dict[tuple[str, str], list[Permission]] = {}
    everywhere = []
    for right in sorted(rights, key=lambda each: (each.content_type.app_label, each.content_type.model, each.pk)):
        if right.codename.startswith("access_") and not right.codename.startswith("access_all_"):
            continue  # means something on a single place alone
        if right.codename.startswith("access_all_"):
            everywhere.append(in_words(right))
        else:
            told.setdefault((right.content_type.app_label, right.content_type.model), []).append(right)
    alike: dict[tuple[str, ...], list[str]] = {}
    clauses = []
    for (app, model), held in told.items():
        plain, verbs = _plain_and_verbs(held, model)
        if verbs:
            clauses.append(_clause(kind_plural(app, model), plain, verbs))
        else:
            alike.setdefault(plain, []).append(kind_plural(app, model))
    # What only few may do is said before what most may.
    clauses += [
        f"{_listed(plain)} {_listed(those)}" for plain, those in sorted(alike.items(), key=lambda e: -len(e[0]))
    ]
    if kinds is not None and len(clauses) > kinds:
        clauses = [*clauses[:kinds], "have more rights"]
    clauses += everywhere
    if not clauses:
        return "May do nothing."
    return f"May {'; may '.join(clauses)}."


def _plain_and_verbs(rights: list[Permission], model: str) -> tuple[tuple[str, ...], list[str]]:
    actions = {right.codename.removesuffix(f"_{model}"): right for right in rights}
    plain = tuple(word for action, word in WORDS.items() if action in actions)
    return plain, [in_words(right) for action, right in actions.items() if action not in WORDS]


def _clause(kind: str, plain: tuple[str, ...], verbs: list[str]) -> str:
    """ "see and change orders, and ship them"."""
    if not plain:
        return _listed(verbs)
    return f"{_listed(plain)} {kind}, and {_listed([_with_them(verb, kind) for verb in verbs])}"


def _with_them(verb: str, kind: str) -> str:
    """ "ship orders" is "ship them" where orders were named just before; "reopen confirmed orders" are others."""
    first, _, rest = verb.partition(" ")
    if rest == kind or rest.startswith(f"{kind} "):
        return f"{first} them{rest[len(kind) :]}"
    return verb


def _listed(words: Sequence[str]) -> str:
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} and {words[-1]}"


def rows_of_rights(rights: Iterable[Permission], *, kinds: Container[Any]) -> list[dict[str, Any]]:
    """The rights over `kinds` (models), as a table speaks of them: per app its kinds, per kind the plain and the verbs.

    Entries to single places are left out: no role gives them.
    """
    found: dict[str, dict[str, dict[str, Any]]] = {}
    for right in sorted(rights, key=lambda each: (each.content_type.app_label, each.content_type.model, each.pk)):
        app, name = right.content_type.app_label, right.content_type.model
        try:
            model = apps.get_model(app, name)
        except LookupError:
            continue
        action = action_of(right.codename, model)
        if model not in kinds or action == f"access_{getattr(model, 'dimension', '')}":
            continue
        row = found.setdefault(app, {}).setdefault(
            name, {"kind": str(model._meta.verbose_name_plural).capitalize(), "plain": {}, "verbs": []}
        )
        if action in WORDS:
            row["plain"][action] = right
        else:
            row["verbs"].append(right)
    return [
        {"app": str(apps.get_app_config(app).verbose_name), "rows": list(kinds.values())}
        for app, kinds in found.items()
    ]
