"""Starts what is measured, each in a process of its own, on the cores that it may use.

The server under test has one core to itself; the load and the upstream share the other.
"""

import asyncio
import json
import os
import platform
import re
import subprocess
import sys
import tempfile
from collections.abc import Generator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

SERVER: frozenset[int] = frozenset({0})
LOAD: frozenset[int] = frozenset({1})

_OURS = os.sched_getaffinity(0)  # before anything keeps to one of them


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
    """Keep this process to these cores, where the machine has more than one for us.

    Whoever starts it may keep to another core already.
    """
    if len(_OURS) > 1:
        os.sched_setaffinity(0, cores)


def go_first(*pids: int) -> bool:
    """Have this process and others run whenever they can; return whether they may.

    For the load and the upstream where something else shares their core: they are other machines.
    Call it when the service runs already: what is started from here goes first as well.
    """
    try:
        for pid in (os.getpid(), *pids):
            for task in Path(f"/proc/{pid}/task").iterdir():
                os.sched_setscheduler(int(task.name), os.SCHED_FIFO, os.sched_param(1))
    except PermissionError:
        return False
    return True


async def set_aside(parent: int) -> None:
    """Keep all that a process starts to the load's core, until cancelled.

    Such as a machine does by itself that has more cores than are busy.
    """
    while len(_OURS) > 1:
        for task in Path(f"/proc/{parent}/task").iterdir():
            with suppress(OSError):
                for child in (task / "children").read_text().split():
                    for one in Path(f"/proc/{child}/task").iterdir():
                        os.sched_setaffinity(int(one.name), LOAD)
        await asyncio.sleep(0.01)


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
