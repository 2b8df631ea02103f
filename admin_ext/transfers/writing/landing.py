"""A file appears under its name when it is complete, or not at all."""

import hashlib
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


class NotLanded(Exception):
    """The checksum was asked for before the file was complete, or after its writing was given up."""


class Landing:
    """A file written under another name in the same folder and moved into place at the end."""

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self.path = Path(path)
        handle, name = tempfile.mkstemp(prefix=f".{self.path.name}.", suffix=".part", dir=self.path.parent)
        os.close(handle)
        self.part = Path(name)
        self._sha256: str | None = None

    @property
    def sha256(self) -> str:
        """The SHA-256 of the file in hexadecimal. Raises NotLanded while there is no file."""
        if self._sha256 is None:
            raise NotLanded(f"{self.path.name} is not complete")
        return self._sha256

    def settle(self) -> None:
        """Take the checksum, make sure the bytes are on the disk, and move the file to its name."""
        with self.part.open("rb") as file:
            sha256 = hashlib.file_digest(file, "sha256").hexdigest()
            os.fsync(file.fileno())
        self.part.chmod(0o666 & ~_umask())
        os.replace(self.part, self.path)
        self._sha256 = sha256

    @contextmanager
    def or_nothing(self) -> Iterator[None]:
        """Give up when the block fails, as on a full disk."""
        try:
            yield
        except BaseException:
            self.give_up()
            raise

    def give_up(self) -> None:
        """Leave nothing behind, not even half a file."""
        self.part.unlink(missing_ok=True)


def _umask() -> int:
    """Temporary files are private; a file that has landed has the rights any new file would have."""
    mask = os.umask(0o077)
    os.umask(mask)
    return mask
