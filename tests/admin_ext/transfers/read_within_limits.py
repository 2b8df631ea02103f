"""Read one file to its end with 1 GB of memory, and print what became of it. Run in a process of its own."""

import json
import resource
import sys

from admin_ext.transfers.reading import FileNotReadable, open_table

GIGABYTE = 1 << 30


def outcome(path: str) -> dict[str, object]:
    try:
        table = open_table(path)
        problems = [row.problem is not None for row in table.rows()]
    except FileNotReadable as refused:
        return {"refused": str(refused), "fact": type(refused).__name__}
    return {"rows": len(problems), "problems": sum(problems), "blank": table.blank_rows, "header": table.header}


if __name__ == "__main__":
    resource.setrlimit(resource.RLIMIT_AS, (GIGABYTE, GIGABYTE))
    sys.stdout.write(json.dumps(outcome(sys.argv[1])))
