"""A bell: what a person should hear of, with where to look."""

from __future__ import annotations

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.db.models.functions import Now


class Notice(models.Model):
    """One line for one person. Read when they followed it or opened the list."""

    owner_field = "recipient"

    class Level(models.TextChoices):
        INFO = "info", "Information"
        SUCCESS = "success", "Done"
        WARNING = "warning", "Look"
        DANGER = "danger", "Failed"

    recipient = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="notices")
    level = models.CharField(max_length=10, choices=Level.choices, default=Level.INFO)
    text = models.CharField(max_length=300)
    url = models.CharField(max_length=300, blank=True)
    made_at = models.DateTimeField(db_default=Now())
    read_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ["-id"]
        default_permissions = ()
        indexes = [models.Index(fields=["recipient"], condition=Q(read_at=None), name="notice_unread")]

    def __str__(self) -> str:
        return self.text


def notify(recipient: models.Model, text: str, *, level: str = Notice.Level.INFO, url: str = "") -> Notice:
    """Ring somebody's bell."""
    return Notice.objects.create(recipient=recipient, text=text[:300], level=level, url=url)


class OpenForm(models.Model):
    """Somebody has the form of a record open. Written again while they do; gone a minute after they left."""

    model = models.CharField(max_length=100)
    object_id = models.BigIntegerField()
    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="+", db_index=False)
    seen_at = models.DateTimeField()

    class Meta:
        default_permissions = ()
        constraints = [models.UniqueConstraint(fields=["model", "object_id", "user"], name="a_form_is_open_once")]
        indexes = [models.Index(fields=["seen_at"], name="open_form_seen")]

    def __str__(self) -> str:
        return f"{self.model} {self.object_id}"
