"""People, the roles they hold and the teams they work in."""

from __future__ import annotations

import zoneinfo

from django.contrib.auth.models import AbstractUser, Group, UserManager
from django.core.exceptions import ValidationError
from django.db import models
from django.utils import timezone

from admin_ext.access.superusers import SuperuserTrigger
from admin_ext.audit.history import History
from admin_ext.models import Record
from admin_ext.querysets import RecordQuerySet


def validate_time_zone(value: str) -> None:
    """Raise ValidationError unless `value` is an IANA time zone name."""
    if value not in zoneinfo.available_timezones():
        raise ValidationError(f"“{value}” is not a time zone. Use a name such as Europe/Stockholm.")


class People(UserManager.from_queryset(RecordQuerySet)):
    """Django's user manager with the reads that every record has."""

    use_in_migrations = False


class User(Record, AbstractUser):
    """A person who works here. Never deleted, only deactivated: the record names people for ever."""

    natural_key_fields = ("username",)
    # By verbs, and the last by nobody in the product: no bulk edit, import or revert makes a superuser.
    controlled_fields = ("is_active", "is_staff", "is_superuser")
    has_past = False
    watched = True
    review_required = ("is_superuser", "is_staff", "is_active")

    time_zone = models.CharField(
        max_length=64, default="UTC", validators=[validate_time_zone], help_text="Instants are shown in this zone."
    )
    password_changed_at = models.DateTimeField(null=True, blank=True, editable=False)
    groups = models.ManyToManyField(  # type: ignore[assignment]
        Group,
        through="Membership",
        blank=True,
        related_name="user_set",
        related_query_name="user",
        verbose_name="roles",
    )
    user_permissions = None  # type: ignore[assignment]

    objects = People()

    class Meta(Record.Meta):
        verbose_name = "person"
        verbose_name_plural = "people"
        ordering = ["username"]
        permissions = [
            ("impersonate_user", "Can look at the product as somebody else"),
            ("invite_user", "Can invite people"),
        ]
        triggers = [SuperuserTrigger()]

    def __str__(self) -> str:
        return self.get_full_name() or self.username

    def set_password(self, raw_password: str | None) -> None:
        super().set_password(raw_password)
        self.password_changed_at = timezone.now()


class Membership(models.Model):
    """One person holds one role."""

    about = ("user", "group")
    review_required = True

    user = models.ForeignKey(User, on_delete=models.CASCADE)
    group = models.ForeignKey(Group, on_delete=models.CASCADE, verbose_name="role")

    history = History()

    class Meta:
        default_permissions = ()
        verbose_name = "role of a person"
        verbose_name_plural = "roles of a person"
        constraints = [models.UniqueConstraint(fields=["user", "group"], name="a_person_holds_a_role_once")]

    def __str__(self) -> str:
        return f"{self.user} is {self.group}"


class Role(Group):
    """A role says what its holders may do: a group, on the record."""

    review_required = True

    history = History()

    class Meta:
        proxy = True
        default_permissions = ("view", "add", "change", "delete", "grant")
        permissions = [("entrust_role", "Can hand on rights over the business without holding them")]


class RolePermission(Group.permissions.through):  # type: ignore[name-defined]
    """One right of one role, on the record."""

    about = ("group",)
    review_required = True

    history = History()

    class Meta:
        proxy = True
        default_permissions = ()


class Team(Record):
    """People who share a desk of work."""

    code = models.CharField(max_length=20, unique=True)
    name = models.CharField(max_length=100)
    lead = models.ForeignKey(User, on_delete=models.PROTECT, null=True, blank=True, related_name="leads")
    members = models.ManyToManyField(User, through="TeamMembership", related_name="teams", blank=True)

    class Meta(Record.Meta):
        ordering = ["code"]

    def __str__(self) -> str:
        return self.name


class TeamMembership(Record):
    """One person works in one team."""

    part_of = "team"
    natural_key_fields = ("team", "user")

    team = models.ForeignKey(Team, on_delete=models.CASCADE)
    user = models.ForeignKey(User, on_delete=models.CASCADE)

    class Meta:
        default_permissions = ()
        constraints = [models.UniqueConstraint(fields=["team", "user"], name="a_person_is_in_a_team_once")]

    def __str__(self) -> str:
        return f"{self.user} in {self.team}"
