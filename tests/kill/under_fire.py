"""An import under fire, beside the same one undisturbed: `python -m tests.kill.under_fire --rows 100000 --kills 200 --stops 10`.

Two workers race for every job, on a PostgreSQL of their own. They are killed by SIGKILL in every stage, and the server is
stopped as `pg_ctl stop -m immediate` does. Afterwards both databases must tell the same.
"""

from __future__ import annotations

import argparse
import math
import os
import random
import sys
import tempfile
import time
from pathlib import Path


def main() -> int:
    """0 when the import under fire left what the undisturbed one did."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=5_000)
    parser.add_argument("--kills", type=int, default=20, help="at least so many, every stage its share")
    parser.add_argument("--stops", type=int, default=2, help="immediate stops of PostgreSQL")
    parser.add_argument("--seed", type=int, default=int(time.time()))
    parser.add_argument("--lease", type=float, default=1.0, help="seconds")
    asked = parser.parse_args()
    print(f"seed {asked.seed}", flush=True)
    with tempfile.TemporaryDirectory(prefix="opsadmin-fire-") as name:
        home = Path(name)
        home.chmod(0o711)
        from tests.kill.server import Server

        server = Server(home)
        with server:
            _set_up_django(server.url, home)
            from tests.kill.battle import Battle

            shares = 12  # ten stages, two of them counted twice
            battle = Battle(
                rows=asked.rows,
                share=math.ceil(asked.kills / shares),
                stops=asked.stops,
                lease=asked.lease,
                chance=random.Random(asked.seed),
                server=server,
                home=home,
            )
            return battle.fight()


def _set_up_django(url: str, home: Path) -> None:
    import django

    (home / "data").mkdir()
    os.environ |= {
        "DATABASE_URL": url,
        "OPSADMIN_DATA": str(home / "data"),
        "DJANGO_SETTINGS_MODULE": "opsadmin.settings.test",
        "CELERY_BROKER_URL": "memory://",  # the workers here need no waking
    }
    django.setup()


if __name__ == "__main__":
    sys.exit(main())
