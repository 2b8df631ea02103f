"""What evidence is asked for, as data: it travels in the arguments of a job and stands in the pack."""

from __future__ import annotations

import dataclasses
from datetime import datetime
from typing import Any, Self

from django.apps import apps
from django.contrib.auth import get_user_model
from django.db import models

from admin_ext.access.rights import NotPermitted, restrict
from admin_ext.audit.models import ChangeSet, Door
from admin_ext.desk.telling import as_local
from admin_ext.desk.timeline import Question
from admin_ext.desk.visibility import may_see


class Of(models.TextChoices):
    """What a pack is about."""

    TIMELINE = "timeline", "A question to the timeline"
    ACT = "act", "One act"
    LIFE = "life", "The life of one record"
    SAMPLE = "sample", "A random sample of acts"


@dataclasses.dataclass(frozen=True)
class Asked:
    """A question, an act, a record, or `size` acts drawn with `seed` from those that were there at `drawn_at`."""

    of: Of
    question: Question = dataclasses.field(default_factory=Question)
    act: int | None = None
    model: type[models.Model] | None = None
    key: int | None = None
    size: int = 0
    seed: str = ""
    drawn_at: datetime | None = None

    def to_json(self) -> dict[str, Any]:
        said: dict[str, Any] = {"of": str(self.of)}
        if self.of in (Of.TIMELINE, Of.SAMPLE):
            said["question"] = self.question.to_json()
        if self.of == Of.SAMPLE:
            assert self.drawn_at is not None
            said |= {"size": self.size, "seed": self.seed, "drawn_at": self.drawn_at.isoformat()}
        if self.of == Of.ACT:
            said["act"] = self.act
        if self.of == Of.LIFE:
            assert self.model is not None
            said |= {"model": self.model._meta.label, "key": self.key}
        return said

    @classmethod
    def from_json(cls, said: dict[str, Any]) -> Self:
        known = {name: said[name] for name in ("act", "key", "size", "seed") if name in said}
        return cls(
            of=Of(said["of"]),
            question=Question.from_json(said.get("question", {})),
            model=apps.get_model(said["model"]) if "model" in said else None,
            drawn_at=datetime.fromisoformat(said["drawn_at"]) if "drawn_at" in said else None,
            **known,
        )

    def describe(self) -> str:
        """In words, without a name that not everybody may know."""
        if self.of == Of.ACT:
            return f"change set #{self.act}"
        if self.of == Of.LIFE:
            assert self.model is not None
            return f"the life of {self.model._meta.verbose_name} #{self.key}"
        if self.of == Of.SAMPLE:
            at = as_local(self.drawn_at)
            return f"{self.size:,} acts drawn at random from {_in_words(self.question)}, finished by {at}"
        return _in_words(self.question)


def check_may_ask(actor: Any, asked: Asked) -> None:
    """Raises NotPermitted unless `actor` may take evidence, and see what it is about."""
    if not actor.is_active or not actor.has_perm("desk.take_evidence"):
        raise NotPermitted("You have no right to take evidence out of the record.")
    if asked.of == Of.ACT and not restrict(ChangeSet.objects.filter(pk=asked.act), actor, "view").exists():
        raise NotPermitted("You have no right to see this change set.")
    if asked.of == Of.LIFE:
        assert asked.model is not None
        assert asked.key is not None
        if not may_see(actor, asked.model, asked.key):
            raise NotPermitted(f"You have no right to see this {asked.model._meta.verbose_name}.")


def _in_words(question: Question) -> str:
    said = []
    if question.who is not None:
        said.append(f"by {get_user_model()._default_manager.filter(pk=question.who).first() or f'#{question.who}'}")
    if question.door:
        said.append(f"through the door {Door(question.door).label}")
    if question.verb:
        said.append(f"with a verb that begins with “{question.verb}”")
    if question.reason:
        said.append(f"with “{question.reason}” in the reason")
    if question.model:
        field = f", field {question.field}" if question.field else ""
        value = f", value “{question.value}”" if question.value else ""
        key = f" #{question.key}" if question.key is not None else ""
        said.append(f"that changed a {question.model._meta.verbose_name}{key}{field}{value}")
    if question.since:
        said.append(f"from {as_local(question.since)}")
    if question.until:
        said.append(f"before {as_local(question.until)}")
    return " ".join(["all acts", *said])
