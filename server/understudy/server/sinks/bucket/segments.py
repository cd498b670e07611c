"""A segment: a file of lines, written by one process and brought to the store as a whole."""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from understudy.server.config.sink_settings import Capture
from understudy.server.sinks.bucket.lines import strip_words
from understudy.server.sinks.bucket.names import CLOSED, OPEN, Name

_PART: Final = ".part"
_DEGREES: Final[Mapping[Capture, int]] = {"metadata": 0, "redacted": 1, "content": 2}


@dataclass(slots=True, eq=False)
class Segment:
    """One that is whole. `sent` of its `records` are in the store already."""

    name: Name
    path: Path
    size: int
    records: int
    sent: int = 0

    @property
    def left(self) -> int:
        """How many of its records are not in the store."""
        return self.records - self.sent

    def lines(self) -> list[bytes]:
        """Return its lines. Raises OSError."""
        return self.path.read_bytes().splitlines(keepends=True)


class Writer:
    """One that is being written. Its file holds whole lines, whenever nobody is in `append`."""

    def __init__(self, folder: Path, name: Name) -> None:
        self.name = name
        self.size = 0
        self.records = 0
        self._folder = folder
        self._path = folder / name.file(OPEN)
        self._file = os.open(self._path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)

    def append(self, lines: list[bytes]) -> None:
        """Write lines, all or none. Raises OSError.

        What is written outlives this process at once. It is not forced to the disk: a machine that
        loses its power loses what the kernel had not yet written.
        """
        data = b"".join(lines)
        try:
            view = memoryview(data)
            while view:
                view = view[os.write(self._file, view) :]
        except OSError:
            os.ftruncate(self._file, self.size)
            os.lseek(self._file, self.size, os.SEEK_SET)
            raise
        self.size += len(data)
        self.records += len(lines)

    def close(self) -> Segment:
        """Return the segment, whole now. Raises OSError."""
        os.close(self._file)
        path = self._folder / self.name.file(CLOSED)
        self._path.rename(path)
        return Segment(self.name, path, self.size, self.records)


def inherit(path: Path, folder: Path, capture: Capture) -> Segment | None:
    """Move a dead process's segment into a folder; return it, or `None` if it holds nothing.

    A last line without its end is cut off. What was captured more freely than `capture` allows
    now loses its texts. Raises OSError; then everything is as it was, and may be tried again.
    """
    if path.suffix == _PART:
        path.unlink()  # its source is still there
    found = Name.read(path.name)
    if found is None:
        return None
    name, _ = found
    data = path.read_bytes()
    whole = data[: data.rfind(b"\n") + 1]
    if _DEGREES[name.capture] > _DEGREES[capture]:
        name = Name(name.stamp, name.instance, name.number, capture)
        whole = b"".join(map(_strip, whole.splitlines(keepends=True)))
    target = folder / name.file(CLOSED)
    if whole == data:
        path.rename(target)
    elif whole:
        part = target.with_suffix(_PART)
        part.touch(mode=0o600)
        part.write_bytes(whole)
        part.rename(target)
    if whole != data:
        path.unlink()
    return Segment(name, target, len(whole), whole.count(b"\n")) if whole else None


def _strip(line: bytes) -> bytes:
    try:
        return strip_words(line)
    except ValueError:
        return b""  # no line of ours, so nobody can say what is in it
