"""An import whose workers and whose database are stopped again and again leaves what an undisturbed one does.

The whole of it, 100,000 rows, is `python -m tests.kill.under_fire --rows 100000 --kills 200 --stops 10`.
"""

from __future__ import annotations

import os
import subprocess
import sys

import pytest
from django.conf import settings


@pytest.mark.kill
def test_an_import_under_fire_leaves_what_an_undisturbed_one_does():
    command = [sys.executable, "-m", "tests.kill.under_fire", "--rows", "5000", "--kills", "20", "--stops", "2"]
    fought = subprocess.run(
        command, cwd=settings.BASE_DIR, env=os.environ, capture_output=True, text=True, timeout=500, check=False
    )
    assert fought.returncode == 0, fought.stdout + fought.stderr
    assert "identical" in fought.stdout
