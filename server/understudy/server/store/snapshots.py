"""The experiments that were seen last, in a file: what serves while the database is away.

A file that cannot be written or read costs nothing but that; it is never the truth.
"""

import logging
import os
import tempfile
import time
from contextlib import suppress
from pathlib import Path
from typing import Final

import msgspec

from understudy.server.domain.experiments import Roster

FILE: Final = "experiments.json"
_LARGEST: Final = 256 * 1024 * 1024  # bytes
_LONG_AGO: Final = 60.0  # seconds, in which any file is written

_LOG = logging.getLogger(__name__)
_ROSTERS = msgspec.json.Decoder(Roster)


class Snapshots:
    """The file, in a folder that is its owner's alone. Blocks."""

    def __init__(self, folder: Path) -> None:
        self._path = folder / FILE
        self._is_failing = False

    @property
    def place(self) -> str:
        """The file's path."""
        return str(self._path)

    def save(self, roster: Roster) -> bool:
        """Keep these, whole or not at all; return whether they are kept."""
        try:
            self._path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            file, name = tempfile.mkstemp(prefix=f"{FILE}-", dir=self._path.parent)
            try:
                with os.fdopen(file, "wb") as out:
                    out.write(msgspec.json.encode(roster))
                    out.flush()
                    os.fsync(out.fileno())
                Path(name).replace(self._path)
            except BaseException:
                Path(name).unlink(missing_ok=True)
                raise
        except OSError as error:
            if not self._is_failing:  # it is tried again and again
                _LOG.warning("the last experiments cannot be kept in a file: %s", error.strerror)
            self._is_failing = True
            return False
        self._is_failing = False
        return True

    def load(self) -> Roster | None:
        """Return what was kept, `None` if nothing can be read."""
        self._sweep()
        try:
            with self._path.open("rb") as file:
                return _ROSTERS.decode(file.read(_LARGEST))
        except FileNotFoundError:
            return None
        except (OSError, msgspec.DecodeError) as error:
            _LOG.warning("the last experiments cannot be read: %s", type(error).__name__)
            return None

    def _sweep(self) -> None:
        """Delete what processes left behind that were killed while they wrote."""
        with suppress(OSError):
            for left in self._path.parent.glob(f"{FILE}-*"):
                if left.stat().st_mtime < time.time() - _LONG_AGO:
                    left.unlink()
