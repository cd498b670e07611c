"""`make bench-sinks`: what callers feel of the tools that hear of their calls: well, slow and dead.

All of them at once: traces, Langfuse, a bucket, metrics and a line of JSON for each call, beside
the records. What counts is the ratio to the service with records alone, within a round.
"""

import argparse
import socket
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any, Final

from rich.console import Console

from benchmarks.keeping import Row, keep
from benchmarks.load import Sample, memory
from benchmarks.speed import Found, measure, median
from benchmarks.subjects import LOAD, describe_machine, keep_to, serving, starting

NONE: Final = "records, no tools"
SLOW_SECONDS: Final = "5"
HEADS = (
    "answers/s",
    "p99, to none",
    "CPU, to none",
    "answers, to none",
    "CPU µs",
    "p50 ms",
    "p99 ms",
    "alone p50 ms",
    "RSS MiB",
    "failed",
)


def main() -> None:
    """Measure, print the table, and keep it if asked to."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--rounds", type=int, default=5, help="interleaved rounds [5]")
    options.add_argument("--seconds", type=float, default=4.0, help="counted per stretch [4]")
    options.add_argument("--in-flight", type=int, default=8, help="calls in flight [8]")
    options.add_argument("--out", help="folder for the table, the plot and the raw samples")
    given = options.parse_args()
    console = Console(width=140)
    with ExitStack() as stack:
        upstream = stack.enter_context(starting(["-m", "benchmarks.upstream"], LOAD))
        found = {one.subject.name: one for one in start(stack, upstream.port)}
        keep_to(LOAD)
        for number in range(given.rounds):
            with console.status(f"round {number + 1} of {given.rounds}"):
                for one in list(found.values())[:: 1 if number % 2 == 0 else -1]:
                    measure(one, given.seconds, given.in_flight)
        rows = [tell(one, found[NONE]) for one in found.values()]
    title = f"{given.in_flight} calls in flight on 4 connections, and one at a time on one"
    keep(console, "sinks", title, describe_machine(), HEADS, rows, given.out)


def start(stack: ExitStack, port: int) -> Iterator[Found]:
    """Start the service with each kind of receiver."""
    well = stack.enter_context(starting(["-m", "benchmarks.receiver"], LOAD, "receiver"))
    slow = stack.enter_context(starting(["-m", "benchmarks.receiver", SLOW_SECONDS], LOAD, "slow"))
    listener = stack.enter_context(socket.socket())
    listener.bind(("127.0.0.1", 0))  # and never listens: whoever comes is refused
    dead: int = listener.getsockname()[1]
    for name, receiver in (
        (NONE, None),
        ("all tools, well", well.port),
        ("all tools, slow", slow.port),
        ("all tools, dead", dead),
    ):
        subject = stack.enter_context(serving(name, configure(port, receiver)))
        yield Found(subject, NONE, stream=False)


def configure(port: int, receiver: int | None) -> dict[str, Any]:
    """Return a service whose tools are all at one receiver."""
    params = {
        "model": "openai/benchmark-model",
        "api_base": f"http://127.0.0.1:{port}/v1",
        "api_key": "sk-benchmark",
    }
    section: dict[str, Any] = {"dashboard": {"port": 0}, "metrics": {"port": 0}}
    if receiver is None:
        section["metrics"] = {"enabled": False}
    else:
        here = f"http://127.0.0.1:{receiver}"
        section["sinks"] = {
            "otel": {"endpoint": here},
            "langfuse": {"public_key": "pk-lf-1", "secret_key": "sk-lf-2", "host": here},
            "bucket": {
                "url": "s3://calls/benchmark",
                "endpoint": here,
                "region": "us-east-1",
                "access_key_id": "a",
                "secret_access_key": "b",
            },
            "json_log": True,
        }
    models = [{"model_name": "benchmark", "litellm_params": params}]
    return {"model_list": models, "understudy": section}


def tell(one: Found, none: Found) -> Row:
    """Return a row of the table; a ratio is the median of the ratios of each round."""

    def compare(read: Callable[[Sample], float]) -> float:
        pairs = zip(one.busy, none.busy, strict=True)
        return median(read(mine) / read(theirs) for mine, theirs in pairs)

    p99 = compare(lambda part: part.quantile(0.99))
    figures = (
        f"{median(part.rate for part in one.busy):,.0f}",
        f"{p99:.2f}",
        f"{compare(lambda part: part.cpu_each):.2f}",
        f"{compare(lambda part: part.rate):.2f}",
        f"{median(part.cpu_each for part in one.busy):.0f}",
        f"{median(part.quantile(0.5) for part in one.busy):.2f}",
        f"{median(part.quantile(0.99) for part in one.busy):.2f}",
        f"{median(part.quantile(0.5) for part in one.alone):.2f}",
        f"{memory(one.subject.pid):.0f}",
        str(sum(part.failures for part in (*one.busy, *one.alone))),
    )
    latencies = [latency for part in one.busy for latency in part.latencies]
    return Row(one.subject.name, figures, p99, latencies)


if __name__ == "__main__":
    main()
