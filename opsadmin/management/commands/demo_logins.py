"""`manage.py demo_logins`: who can log in to the demo."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand

from apps.accounts.models import User
from opsadmin.demo.people import PASSWORD, PEOPLE


class Command(BaseCommand):
    help = "Print the logins of the demo."

    def handle(self, *args: Any, **options: Any) -> None:
        there = set(User.objects.values_list("username", flat=True))
        for person in PEOPLE:
            if person.username in there:
                self.stdout.write(f"  {person.username:<14} {PASSWORD}   {person.work}")
