"""Starts what is measured, each in a process of its own, on the cores that it may use.

The server under test has one core to itself; the load and the upstream share the other.
"""

import json
import os
import platform
import re
import subprocess
import sys
import tempfile
from collections.abc import Generator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

SERVER: frozenset[int] = frozenset({0})
LOAD: frozenset[int] = frozenset({1})


@dataclass(frozen=True, slots=True)
class Subject:
    """A server under test. `ready` is the line by which it said so."""

    name: str
    port: int
    pid: int
    ready: str


def describe_machine() -> str:
    """Return what a reader must know to compare."""
    return (
        f"{platform.python_implementation()} {platform.python_version()}, "
        f"{os.cpu_count()} cores, {platform.machine()}; one core for the server, one for load "
        "and upstream; medians of interleaved rounds"
    )


def keep_to(cores: frozenset[int] | set[int]) -> None:
    """Keep this process to these cores, where the machine has them."""
    if len(os.sched_getaffinity(0)) > 1:
        os.sched_setaffinity(0, cores)


@contextmanager
def starting(
    arguments: Sequence[str],
    cores: frozenset[int] | set[int],
    name: str = "upstream",
    python: str = sys.executable,
) -> Generator[Subject]:
    """Start a server that prints its port first, or a ready line with it."""
    process = subprocess.Popen(
        [python, *arguments],
        stdout=subprocess.PIPE,
        text=True,
        preexec_fn=lambda: keep_to(cores),  # noqa: PLW1509 - no threads run yet
    )
    try:
        assert process.stdout is not None
        line = process.stdout.readline()
        match = re.search(r"grpc=\S+?:(\d+)\b", line) or re.search(r"(\d+)$", line.strip())
        if match is None:
            raise RuntimeError(f"{name} did not start: {line!r}")
        yield Subject(name, int(match[1]), process.pid, line)
    finally:
        process.kill()
        process.wait()


@contextmanager
def serving(name: str, config: Mapping[str, Any]) -> Generator[Subject]:
    """Start the service with a configuration, in a state directory of its own."""
    with tempfile.TemporaryDirectory() as folder:
        section = {"state_dir": folder, **config.get("understudy", {})}
        path = Path(folder) / "config.yaml"
        path.write_text(json.dumps({**config, "understudy": section}))
        arguments = ["-m", "understudy.server", "serve", "--config", str(path), "--port", "0"]
        with starting([*arguments, "--log-level", "error"], SERVER, name) as subject:
            yield subject
