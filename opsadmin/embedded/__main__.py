"""The verbs of `./dev`, which has made the virtual environment that this runs in."""

from __future__ import annotations

import argparse
import os
import signal
import sys
from collections.abc import Sequence
from pathlib import Path

from opsadmin.embedded import Obstacle, demo, quality, stack
from opsadmin.embedded.places import ROOT
from opsadmin.embedded.programs import run_in_foreground

# Verbs whose further words belong to another program.
PASSING_ON = {
    "manage": "a management command on the same data: ./dev manage shell",
    "test": "the fast tests; pytest's own options are passed on: ./dev test -m journey",
    "bench": "the benchmarks",
}


def main(arguments: Sequence[str]) -> int:
    """Carry out one verb and return its exit code. What stands in the way is said in one sentence, not a traceback."""
    for number in (signal.SIGTERM, signal.SIGHUP):
        if signal.getsignal(number) == signal.SIG_DFL:
            signal.signal(number, _leave)
    try:
        own, passed_on = _split(arguments)
        return _carry_out(_parser().parse_args(own), passed_on)
    except Obstacle as obstacle:
        print(f"./dev: {obstacle}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130


def _parser() -> argparse.ArgumentParser:
    called_from = Path(os.environ.pop("OPSADMIN_CALLED_FROM", os.getcwd()))
    default = os.environ.get("OPSADMIN_DATA") or str(ROOT / ".data")

    def data(path: str) -> Path:
        return called_from / Path(path).expanduser()

    place = argparse.ArgumentParser(add_help=False)
    place.add_argument(
        "--data", type=data, default=default, metavar="DIR", help="the data directory (OPSADMIN_DATA, else .data)"
    )
    parser = argparse.ArgumentParser(prog="./dev", description="Run, test and manage opsadmin on this machine.")
    verbs = parser.add_subparsers(dest="verb", required=True, metavar="VERB")
    start = verbs.add_parser("demo", parents=[place], help="run everything here, with a demo world")
    start.add_argument("--port", type=int, default=int(os.environ.get("PORT", "8000")))
    verbs.add_parser("stop", parents=[place], help="stop the running demo")
    for verb, meaning in PASSING_ON.items():
        verbs.add_parser(verb, parents=[place], help=meaning)
    verbs.add_parser("lint", parents=[place], help="every static check")
    return parser


def _split(arguments: Sequence[str]) -> tuple[list[str], list[str]]:
    """What is said to `./dev`, and what it passes on untouched to another program: `./dev test -m kill`."""
    words = list(arguments)
    if not words or words[0] not in PASSING_ON:
        return words, []
    own = 3 if words[1:2] == ["--data"] else 2 if words[1:] and words[1].startswith("--data=") else 1
    return words[:own], words[own:]


def _carry_out(asked: argparse.Namespace, passed_on: Sequence[str]) -> int:
    data = stack.Data.at(asked.data)
    match asked.verb:
        case "demo":
            return demo.run(data, asked.port)
        case "stop":
            return demo.stop(data)
        case "manage":
            with stack.database(data) as environment:
                return run_in_foreground(stack.manage(*passed_on), environment)
        case "test":
            return quality.test(data, passed_on)
        case "bench":
            return quality.bench(data, passed_on)
        case "lint":
            return quality.lint(data)
    raise AssertionError(asked.verb)


def _leave(number: int, _: object) -> None:
    """End as the signal asks, but through every `finally`: scratch clusters are removed on the way."""
    sys.exit(128 + number)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
