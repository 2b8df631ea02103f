"""`manage.py seed_demo`: the demo world, the same for the same seed."""

from __future__ import annotations

import time
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils import timezone

from apps.customers.models import Customer
from opsadmin.demo.life import live_a_little
from opsadmin.demo.seeding import seed_world

SCALES = {
    "small": {"customers": 200, "products": 500, "orders": 5_000},
    "large": {"customers": 20_000, "products": 5_000, "orders": 1_000_000},
}


class Command(BaseCommand):
    help = "Fill an empty database with the demo world: small in seconds, large with a million orders by COPY."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--scale", choices=SCALES, default="small")
        parser.add_argument("--seed", type=int, default=1)
        parser.add_argument("--if-empty", action="store_true", help="do nothing when there are customers already")

    def handle(self, *args: Any, **options: Any) -> None:
        if Customer.objects.exists():
            if options["if_empty"]:
                return
            raise CommandError("There are customers already; the demo world needs an empty database.")
        began = time.monotonic()
        today = timezone.localdate()

        def say(text: str) -> None:
            if options["verbosity"]:
                self.stdout.write(f"  {text} ({time.monotonic() - began:.1f} s)")

        seed_world(seed=options["seed"], today=today, say=say, **SCALES[options["scale"]])
        live_a_little(seed=options["seed"], today=today)
        say("a few weeks of work")
