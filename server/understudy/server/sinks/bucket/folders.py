"""Folders of the spool: one for each process, locked while it lives, inherited when it has died.

A lock is the kernel's own (`flock`), so it ends with its process however that ends, and works
between containers that share the folder. Nothing here reads what a folder holds.
"""

import fcntl
import os
from collections.abc import Generator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final

_LOCK: Final = "lock"


class OwnFolder:
    """A folder that nobody else writes to, until `leave`."""

    def __init__(self, path: Path, lock: int) -> None:
        self.path = path
        self._lock = lock

    @classmethod
    def claim(cls, root: Path, name: str) -> "OwnFolder":
        """Make a folder below `root`, called `name` or nearly so, and lock it. Raises OSError."""
        attempt = 0
        while True:
            for folder in (*reversed(root.parents), root):
                folder.mkdir(mode=0o700, exist_ok=True)  # `parents` would let others in
            path = root / (f"{name}-{attempt}" if attempt else name)
            attempt += 1
            with suppress(FileExistsError, FileNotFoundError):
                path.mkdir(mode=0o700)
                # An heir that took the folder for an abandoned one may have removed it meanwhile.
                lock = os.open(path / _LOCK, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600)
                if _take(lock) and _is_still(path / _LOCK, lock):
                    return cls(path, lock)
                os.close(lock)

    def leave(self) -> None:
        """Remove the folder if nothing is in it, else leave it to the next process."""
        _remove(self.path)
        os.close(self._lock)


@contextmanager
def abandoned(root: Path, own: Path) -> Generator[tuple[Path, ...]]:
    """Hold the folders below `root` whose process has died; they go afterwards if they are empty.

    Folders of the living are not among them, nor those that cannot be locked.
    """
    held: list[tuple[Path, int]] = []
    try:
        for path in sorted(root.iterdir()):
            if path != own and (lock := _inherit(path)) is not None:
                held.append((path, lock))
        yield tuple(path for path, _ in held)
    finally:
        for path, lock in held:
            _remove(path)
            os.close(lock)


def _inherit(path: Path) -> int | None:
    try:
        lock = os.open(path / _LOCK, os.O_RDWR)
    except FileNotFoundError:
        # Its process died, or is about to lock it: then it finds it gone and makes another.
        with suppress(OSError):
            path.rmdir()
        return None
    except OSError:
        return None
    if _take(lock) and _is_still(path / _LOCK, lock):
        return lock
    os.close(lock)
    return None


def _take(lock: int) -> bool:
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _is_still(path: Path, lock: int) -> bool:
    """Whether the file that was locked is the one that has the name."""
    try:
        return os.path.samestat(path.stat(), os.fstat(lock))
    except FileNotFoundError:
        return False


def _remove(path: Path) -> None:
    """Remove a folder that holds nothing but the lock, which we have."""
    with suppress(OSError):
        if [one.name for one in path.iterdir()] == [_LOCK]:
            (path / _LOCK).unlink()
            path.rmdir()
