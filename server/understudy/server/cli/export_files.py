"""Opens what an export is written to: standard output, or a file that is there whole or not."""

import os
import signal
import sys
import tempfile
import threading
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import BinaryIO, NoReturn

import click


@contextmanager
def opening(output: str) -> Generator[BinaryIO]:
    """Open a place to write to; `-` is standard output.

    A file appears under its name when the block has ended well, readable by its owner alone: it
    may hold prompts. Until then it is written beside, and whatever ends the block removes it.
    Raises UsageError if it cannot be there.
    """
    if output == "-":
        yield sys.stdout.buffer
        sys.stdout.buffer.flush()
        return
    path = Path(output).resolve()
    if path.exists() and not path.is_file() and not path.is_dir():
        with path.open("wb") as device:  # a pipe by name, which is no file to be replaced
            yield device
        return
    with ending_on_sigterm():
        yield from _write_beside(path, output)


def _write_beside(path: Path, output: str) -> Generator[BinaryIO]:
    if path.is_dir():
        raise click.UsageError(f"--output: {output} is a folder")
    try:
        number, name = tempfile.mkstemp(prefix=f".{path.name}.", suffix=".part", dir=path.parent)
    except OSError as error:
        raise click.UsageError(
            f"--output: nothing can be written to {path.parent}: {error.strerror}"
        ) from error
    beside = Path(name)
    try:
        with os.fdopen(number, "wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        beside.replace(path)
    finally:
        beside.unlink(missing_ok=True)


@contextmanager
def ending_on_sigterm() -> Generator[None]:
    """Have SIGTERM raise SystemExit, so that what is half done is undone."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def end(number: int, frame: FrameType | None) -> NoReturn:
        sys.exit(128 + number)

    earlier = signal.signal(signal.SIGTERM, end)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, earlier)
