"""How much one file may cost to read."""

import resource
from dataclasses import asdict, dataclass, fields
from typing import Any

OUT_OF_MEMORY = 77  # how a bound process ends when Python itself has asked for too much memory
_OPEN_FILES = 32


@dataclass(frozen=True)
class Limits:
    """What reading one workbook may take, and what its container may hold. The settings `READER_…` say otherwise."""

    memory_mb: int = 1024  # address space of the process that reads
    cpu_seconds: int = 60  # processor time of that process, over the whole file
    wait_seconds: int = 60  # time spent waiting for its answers, over the whole file
    packed_mb: int = 256  # size of the workbook as it came
    inflated_mb: int = 512  # all parts of its container together, inflated
    entries: int = 10_000  # parts of its container
    ratio: int = 200  # inflated to packed, for parts that are large

    def to_json(self) -> dict[str, int]:
        """Give the limits as plain JSON values."""
        return asdict(self)

    @classmethod
    def from_json(cls, stored: dict[str, Any]) -> "Limits":
        """Take back what `to_json` gave."""
        return cls(**{item.name: int(stored[item.name]) for item in fields(cls)})

    def hold_this_process(self) -> None:
        """Bind the running process, for ever: memory, processor time, no file written, no child, no core dump.

        What the system does not know (macOS has no address space limit) is passed over.
        """
        memory = self.memory_mb << 20
        _bind(resource.RLIMIT_AS, memory, memory)
        # The soft limit kills with a signal of its own, which tells time from memory.
        _bind(resource.RLIMIT_CPU, self.cpu_seconds, self.cpu_seconds + 5)
        _bind(resource.RLIMIT_FSIZE, 0, 0)
        _bind(resource.RLIMIT_CORE, 0, 0)
        _bind(resource.RLIMIT_NPROC, 0, 0)
        _bind(resource.RLIMIT_NOFILE, _OPEN_FILES, _OPEN_FILES)


def _bind(kind: int, soft: int, hard: int) -> None:
    try:
        allowed = resource.getrlimit(kind)[1]
        if allowed != resource.RLIM_INFINITY:
            soft, hard = min(soft, allowed), min(hard, allowed)
        resource.setrlimit(kind, (soft, hard))
    except (ValueError, OSError):
        pass
