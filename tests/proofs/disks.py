"""Disks that are full or may not be written, and files that are damaged, for the state."""

import os
import resource
import shutil
import subprocess
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

import pytest

from understudy.server.store.keeping import FILE


@contextmanager
def small_disk(folder: Path) -> Generator[Path]:
    """A disk of one MiB, gone afterwards. Skips the test where only root may mount one."""
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(folder)]
    if os.getuid() or subprocess.run(mount, check=False, capture_output=True).returncode:
        pytest.skip("it takes root to mount a disk")
    try:
        yield folder
    finally:
        subprocess.run(["umount", "-l", str(folder)], check=True)


@contextmanager
def filled(folder: Path) -> Generator[None]:
    """Leave no byte free on a disk until the block ends."""
    ballast = folder / "ballast"
    with ballast.open("wb", buffering=0) as file:
        try:
            while True:
                file.write(b"0" * 4096)
        except OSError:
            pass  # it is full
    try:
        yield
    finally:
        ballast.unlink()


@contextmanager
def limited(process: int) -> Generator[None]:
    """Let a process write no byte to any file until the block ends."""
    before = resource.prlimit(process, resource.RLIMIT_FSIZE, (0, resource.RLIM_INFINITY))
    try:
        yield
    finally:
        resource.prlimit(process, resource.RLIMIT_FSIZE, before)


@contextmanager
def read_only(folder: Path) -> Generator[None]:
    """Let nobody write to a disk until the block ends."""
    subprocess.run(["mount", "-o", "remount,ro", str(folder)], check=True)
    try:
        yield
    finally:
        subprocess.run(["mount", "-o", "remount,rw", str(folder)], check=True)


def damage(state: Path, how: str) -> None:
    """Damage the database of a service that has ended."""
    path = state / FILE
    content = path.read_bytes()
    middle, half = len(content) // 3, len(content) // 2
    match how:
        case "flipped":
            torn = bytes(0xFF ^ byte for byte in content[middle : 2 * middle])
            path.write_bytes(content[:middle] + torn + content[2 * middle :])
        case "truncated":
            path.write_bytes(content[:half])
        case "without-head":
            path.write_bytes(b"\0" * 100 + content[100:])
        case "edited":  # which SQLite itself cannot see
            path.write_bytes(content.replace(b'"variants":[{', b'"variants":[<'))
        case "emptied":
            path.write_bytes(b"")
        case _:
            path.unlink()


def copy(state: Path, to: Path) -> None:
    """Copy the database of a service that has ended."""
    shutil.copy(state / FILE, to)


def restore(state: Path, copied: Path) -> None:
    """Put a copy in the place of the database of a service that runs."""
    for companion in ("-wal", "-shm"):
        (state / f"{FILE}{companion}").unlink(missing_ok=True)
    fresh = state / "restoring"
    shutil.copy(copied, fresh)
    fresh.replace(state / FILE)
