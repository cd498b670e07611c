"""`make bench`: the service against two bare relays, in one run, interleaved.

The server under test has one core to itself; the load and the upstream share the other. What
counts is the ratio within a round: absolute figures are this machine's, at this hour.
"""

import argparse
import os
import platform
import re
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Generator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import uvloop
from rich.console import Console
from rich.table import Column, Table

from benchmarks.load import Sample, memory, press

CONFIG = """
model_list:
  - model_name: benchmark
    litellm_params: {{model: openai/benchmark-model, api_base: {upstream}/v1, api_key: sk-benchmark}}
understudy: {{state_dir: {folder}, records: {{enabled: {records}}}}}
"""

FLOORS = ("aiohttp relay", "httpx relay")
SERVICES = {"understudy, nothing on": "false", "understudy, records": "true"}


@dataclass(frozen=True, slots=True)
class Subject:
    """A server under test. `ready` is the line by which it said so."""

    name: str
    port: int
    pid: int
    ready: str


def main() -> None:
    """Measure, and print the table."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--rounds", type=int, default=5, help="interleaved rounds [5]")
    options.add_argument("--seconds", type=float, default=4.0, help="counted per stretch [4]")
    options.add_argument("--in-flight", type=int, default=32, help="calls in flight [32]")
    given = options.parse_args()
    console = Console(width=110)
    with ExitStack() as stack:
        upstream = stack.enter_context(starting(["-m", "benchmarks.upstream"], {1}))
        base = f"http://127.0.0.1:{upstream.port}"
        subjects = [
            stack.enter_context(starting(["-m", "benchmarks.floors", kind, base], {0}, name))
            for kind, name in zip(("aiohttp", "httpx"), FLOORS, strict=True)
        ]
        subjects += [
            stack.enter_context(serving(base, name, records)) for name, records in SERVICES.items()
        ]
        keep_to({1})
        busy: dict[str, list[Sample]] = {one.name: [] for one in subjects}
        alone: dict[str, list[Sample]] = {one.name: [] for one in subjects}
        for number in range(given.rounds):
            with console.status(f"round {number + 1} of {given.rounds}"):
                # Backwards every other time, so that drift favours nobody.
                for one in subjects if number % 2 == 0 else reversed(subjects):
                    busy[one.name].append(
                        uvloop.run(press(one.port, one.pid, given.seconds, given.in_flight, 4))
                    )
                    alone[one.name].append(
                        uvloop.run(press(one.port, one.pid, given.seconds / 2, 1, 1))
                    )
        sizes = {one.name: memory(one.pid) for one in subjects}
    console.print(describe_machine())
    console.print(table(busy, alone, sizes, given.in_flight))


def describe_machine() -> str:
    """Return what a reader must know to compare."""
    return (
        f"{platform.python_implementation()} {platform.python_version()}, "
        f"{os.cpu_count()} cores, {platform.machine()}; one core for the server, one for load "
        "and upstream; medians of interleaved rounds"
    )


def table(
    busy: dict[str, list[Sample]],
    alone: dict[str, list[Sample]],
    sizes: dict[str, float],
    in_flight: int,
) -> Table:
    """Return the figures; a ratio is the median of the ratios of each round."""
    out = Table(Column(no_wrap=True), title=f"{in_flight} calls in flight, and one at a time")
    for head in (
        "answers/s",
        "to aiohttp",
        "to httpx",
        "CPU µs",
        "p50 ms",
        "p99 ms",
        "alone ms",
        "RSS MiB",
        "failed",
    ):
        out.add_column(head, justify="right")
    for name, samples in busy.items():
        out.add_row(
            name,
            f"{median(one.rate for one in samples):,.0f}",
            *(f"{ratio(samples, busy[floor]):.3f}" for floor in FLOORS),
            f"{median(one.cpu_each for one in samples):.0f}",
            f"{median(one.quantile(0.5) for one in samples):.2f}",
            f"{median(one.quantile(0.99) for one in samples):.2f}",
            f"{median(one.quantile(0.5) for one in alone[name]):.2f}",
            f"{sizes[name]:.0f}",
            str(sum(one.failures for one in (*samples, *alone[name]))),
        )
    return out


def median(values: Generator[float]) -> float:
    """Return the middle value."""
    return statistics.median(values)


def ratio(samples: list[Sample], floor: list[Sample]) -> float:
    """Return the median ratio of rates, round by round."""
    return statistics.median(
        one.rate / least.rate for one, least in zip(samples, floor, strict=True)
    )


def keep_to(cores: set[int]) -> None:
    """Keep this process to these cores, where the machine has them."""
    if len(os.sched_getaffinity(0)) > 1:
        os.sched_setaffinity(0, cores)


@contextmanager
def starting(arguments: list[str], cores: set[int], name: str = "upstream") -> Generator[Subject]:
    """Start a server that prints its port first, or a ready line with it."""
    process = subprocess.Popen(
        [sys.executable, *arguments],
        stdout=subprocess.PIPE,
        text=True,
        preexec_fn=lambda: keep_to(cores),  # noqa: PLW1509 - no threads run yet
    )
    try:
        assert process.stdout is not None
        line = process.stdout.readline()
        match = re.search(r"grpc=\S+:(\d+)", line) or re.search(r"(\d+)$", line.strip())
        if match is None:
            raise RuntimeError(f"{name} did not start: {line!r}")
        yield Subject(name, int(match[1]), process.pid, line)
    finally:
        process.kill()
        process.wait()


@contextmanager
def serving(upstream: str, name: str, records: str) -> Generator[Subject]:
    """Start the service before the upstream, with or without records."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "config.yaml"
        path.write_text(CONFIG.format(upstream=upstream, folder=folder, records=records))
        arguments = ["-m", "understudy.server", "serve", "--config", str(path), "--port", "0"]
        with starting(arguments, {0}, name) as subject:
            yield subject


if __name__ == "__main__":
    main()
