"""`python -m benchmarks NAME …`, or `./dev bench NAME …` on the product's own stack."""

from __future__ import annotations

import sys

BENCHMARKS = {
    "access": "benchmarks.access",
    "exports": "benchmarks.exports",
    "import": "benchmarks.imports",
    "lists": "benchmarks.lists",
    "record": "benchmarks.record",
    "timeline": "benchmarks.timeline",
    "undo": "benchmarks.undo",
    "seal": "benchmarks.sealing",
    "verify": "benchmarks.verifying",
}


def main() -> int:
    if len(sys.argv) < 2 or sys.argv[1] not in BENCHMARKS:
        print(f"Usage: bench NAME [options]; there are: {', '.join(BENCHMARKS)}", file=sys.stderr)
        return 2
    from importlib import import_module

    return import_module(BENCHMARKS[sys.argv[1]]).main(sys.argv[2:])


if __name__ == "__main__":
    sys.exit(main())
