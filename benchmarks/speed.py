"""`make bench`: the service in several states against bare relays, in one run, interleaved.

What counts is the ratio to a floor within a round: absolute figures are this machine's, at this
hour. Each state has the floor that does the same work: a mirrored call is two calls, a stream is
parsed and built anew piece by piece.
"""

import argparse
import statistics
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import Any

import uvloop
from rich.console import Console

from benchmarks.keeping import Row, keep
from benchmarks.load import Sample, memory, press
from benchmarks.subjects import LOAD, SERVER, Subject, describe_machine, keep_to, serving, starting

HEADS = (
    "answers/s",
    "to its floor",
    "to aiohttp",
    "CPU µs",
    "p50 ms",
    "p99 ms",
    "alone p50 ms",
    "added p50 ms",
    "RSS MiB",
    "failed",
)
AIOHTTP, HTTPX = "relay over aiohttp", "relay over httpx"
TWICE, STREAMING = "relay, each call sent twice", "relay of streams"


@dataclass(frozen=True, slots=True)
class Floor:
    """A bare relay, by its kind."""

    name: str
    kind: str
    stream: bool = False


@dataclass(frozen=True, slots=True)
class State:
    """The service with some of its parts on, and the floor that it is measured by."""

    name: str
    floor: str
    section: Mapping[str, Any]
    silent: bool = False
    stream: bool = False


FLOORS = (
    Floor(AIOHTTP, "aiohttp"),
    Floor(HTTPX, "httpx"),
    Floor(TWICE, "twice"),
    Floor(STREAMING, "streaming", stream=True),
)
_QUIET = {
    "records": {"enabled": False},
    "dashboard": {"enabled": False},
    "metrics": {"enabled": False},
}
_PORTS = {"dashboard": {"port": 0}, "metrics": {"port": 0}, "sinks": {"json_log": True}}
STATES = (
    State("nothing on", HTTPX, _QUIET),
    State("records, metrics", HTTPX, {"dashboard": {"port": 0}, "metrics": {"port": 0}}),
    State("records, metrics, logs", HTTPX, _PORTS),
    State("and traces", HTTPX, {**_PORTS, "sinks": {"json_log": True, "otel": {}}}),
    State("every call mirrored", TWICE, _QUIET, silent=True),
    State("streamed", STREAMING, _QUIET, stream=True),
)


@dataclass(slots=True)
class Found:
    """What was found of one subject. `floor` is the name of what it is measured by."""

    subject: Subject
    floor: str
    stream: bool
    busy: list[Sample] = field(default_factory=list[Sample])
    alone: list[Sample] = field(default_factory=list[Sample])


def main() -> None:
    """Measure, print the table, and keep it if asked to."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--rounds", type=int, default=5, help="interleaved rounds [5]")
    options.add_argument("--seconds", type=float, default=4.0, help="counted per stretch [4]")
    options.add_argument("--in-flight", type=int, default=32, help="calls in flight [32]")
    options.add_argument("--only", action="append", help="a state, by its name; repeatable [all]")
    options.add_argument("--out", help="folder for the table, the plot and the raw samples")
    given = options.parse_args()
    console = Console(width=140)
    with ExitStack() as stack:
        upstream = stack.enter_context(starting(["-m", "benchmarks.upstream"], LOAD))
        found = {one.subject.name: one for one in start(stack, upstream.port, given.only)}
        keep_to(LOAD)
        for number in range(given.rounds):
            with console.status(f"round {number + 1} of {given.rounds}"):
                # Backwards every other time, so that drift favours nobody.
                for one in list(found.values())[:: 1 if number % 2 == 0 else -1]:
                    measure(one, given.seconds, given.in_flight)
        rows = [tell(one, found) for one in found.values()]
    title = f"{given.in_flight} calls in flight on 4 connections, and one at a time on one"
    keep(console, "speed", title, describe_machine(), HEADS, rows, given.out)


def start(stack: ExitStack, port: int, only: Sequence[str] | None) -> Iterator[Found]:
    """Start the states that are wanted, and the floors that they are measured by."""
    base = f"http://127.0.0.1:{port}"
    states = [one for one in STATES if only is None or one.name in only]
    wanted = {AIOHTTP, HTTPX, *(one.floor for one in states)}
    for floor in FLOORS:
        if floor.name in wanted:
            arguments = ["-m", "benchmarks.floors", floor.kind, base]
            subject = stack.enter_context(starting(arguments, SERVER, floor.name))
            yield Found(subject, STREAMING if floor.stream else HTTPX, floor.stream)
    for state in states:
        subject = stack.enter_context(serving(state.name, configure(base, state)))
        yield Found(subject, state.floor, state.stream)


def configure(base: str, state: State) -> dict[str, Any]:
    """Return the configuration of a state."""
    model = {"model": "openai/benchmark-model", "api_base": f"{base}/v1"}
    params = {**model, "api_key": "sk-benchmark"}
    groups = [{"model_name": "benchmark", "litellm_params": dict(params)}]
    if state.silent:
        groups[0]["litellm_params"] = {**params, "silent_model": "silent"}
        groups.append({"model_name": "silent", "litellm_params": {**model, "api_key": "sk-silent"}})
    mirror = {"budget": {"usd": 1_000_000, "assumed_usd_per_call": 0}}
    return {"model_list": groups, "understudy": {"mirror": mirror, **state.section}}


def measure(one: Found, seconds: float, in_flight: int) -> None:
    """Press one subject, with many calls in flight and with one."""
    port, pid, stream = one.subject.port, one.subject.pid, one.stream
    one.busy.append(uvloop.run(press(port, pid, seconds, in_flight, 4, stream=stream)))
    one.alone.append(uvloop.run(press(port, pid, seconds / 2, 1, 1, stream=stream)))


def tell(one: Found, found: Mapping[str, Found]) -> Row:
    """Return a row of the table; a ratio is the median of the ratios of each round."""
    floor, aiohttp = found[one.floor], found[AIOHTTP]
    added = median(
        mine.quantile(0.5) - least.quantile(0.5)
        for mine, least in zip(one.alone, floor.alone, strict=True)
    )
    figures = (
        f"{median(part.rate for part in one.busy):,.0f}",
        f"{ratio(one, floor):.3f}",
        f"{ratio(one, aiohttp):.3f}" if not one.stream else "",
        f"{median(part.cpu_each for part in one.busy):.0f}",
        f"{median(part.quantile(0.5) for part in one.busy):.2f}",
        f"{median(part.quantile(0.99) for part in one.busy):.2f}",
        f"{median(part.quantile(0.5) for part in one.alone):.2f}",
        f"{added:+.2f}",
        f"{memory(one.subject.pid):.0f}",
        str(sum(part.failures for part in (*one.busy, *one.alone))),
    )
    samples = tuple(latency for part in one.busy for latency in part.latencies)
    return Row(one.subject.name, figures, ratio(one, floor), samples)


def median(values: Iterable[float]) -> float:
    """Return the middle value."""
    return statistics.median(values)


def ratio(one: Found, floor: Found) -> float:
    """Return the median ratio of rates, round by round."""
    return median(mine.rate / least.rate for mine, least in zip(one.busy, floor.busy, strict=True))


if __name__ == "__main__":
    main()
