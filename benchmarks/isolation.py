"""`make bench-isolation`: what a silent model in trouble costs the primary.

Within one service, blocks with the mirror paused and resumed take turns; what counts is the
difference between them, and how far it can be trusted. First a run in which both sides are
paused: that must pass, else the machine is too busy to tell. Exits with 1 if anything fails.
"""

import argparse
import asyncio
import random
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import grpc
import uvloop
from rich.console import Console

from benchmarks.keeping import Row, keep
from benchmarks.load import memory
from benchmarks.sides import CONFIDENCE, Side, compare, judge, press
from benchmarks.subjects import LOAD, Subject, describe_machine, keep_to, serving, starting
from understudy.v1 import chat_pb2, completion_pb2, operations_pb2, operations_pb2_grpc

PRIMARY = "slow-20ms"
FAULTS: Final[Mapping[str, str]] = {
    "healthy": PRIMARY,
    "slow x 100": "slow-2000ms",
    "hung before headers": "hang-headers",
    "hung in the body": "hang-body",
    "hanging names": "",  # a host that nobody resolves
    "500": "status-500",
    "429": "status-429",
    "reset": "reset",
    "redirect": "redirect-307",
    "drips a byte a second": "drip-1000ms",
    "1 GB declared": "huge-declared",
    "1 GB, and no end": "huge",
    "gzip, not asked for": "gzip-1",
    "a million brackets": "brackets-1000000",
    "half a megabyte each": "large",  # by another upstream, which has them ready
}
NOTHING: Final = "nothing against nothing"
PROMPT = completion_pb2.CreateCompletionRequest(
    model="primary", messages=[chat_pb2.ChatMessage(role="user", content="x" * 64)]
).SerializeToString()
HEADS = (
    "p50 off",
    "p99 more",
    "p99 off",
    f"p50 more ({CONFIDENCE:.0%} bounds)",
    f"p99 more ({CONFIDENCE:.0%} bounds)",
    "failed",
    "RSS MiB",
    "fds",
    "silent calls",
    "verdict",
)


@dataclass(slots=True)
class Found:
    """Both sides of one fault, and what was left behind at its end."""

    off: Side = field(default_factory=Side)
    on: Side = field(default_factory=Side)
    ledger: str = ""
    descriptors: int = 0  # more than before


def main() -> None:
    """Measure each fault, print the table, and say by the exit whether the primary felt any."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--blocks", type=int, default=5, help="pairs of blocks for each [5]")
    options.add_argument("--seconds", type=float, default=6.0, help="for each block [6]")
    options.add_argument("--rate", type=float, default=100.0, help="calls a second [100]")
    options.add_argument("--fault", action="append", help="by its name; repeatable [all]")
    options.add_argument("--out", help="folder for the table, the plot and the raw samples")
    given = options.parse_args()
    console = Console(width=180)
    rows: list[Row] = []
    passed: list[bool] = []
    with (
        starting(["-m", "tests.stub"], LOAD, "stub") as stub,
        starting(["-m", "benchmarks.upstream", "0.02", "20000"], LOAD, "large") as large,
    ):
        keep_to(LOAD)
        for name in (NOTHING, *(given.fault or FAULTS)):
            section = configure(stub.port, large.port, FAULTS.get(name, PRIMARY))
            with console.status(name), serving(name, section) as subject:
                found = uvloop.run(
                    measure(subject, given.blocks, given.seconds, given.rate, name != NOTHING)
                )
                row, verdict = tell(name, found, subject)
            rows.append(row)
            passed.append(verdict == "passes")
    title = f"the primary at {given.rate:.0f} calls a second, ms, mirror off and on in turn"
    keep(console, "isolation", title, describe_machine(), HEADS, rows, given.out)
    sys.exit(0 if all(passed) else 1)


def configure(port: int, large: int, silent: str) -> dict[str, Any]:
    """Return a service whose primary is healthy and whose silent model has a fault."""
    here = f"http://127.0.0.1:{port}/v1"
    primary = {"api_base": here, "model": f"openai/{PRIMARY}", "api_key": "sk-a"}
    base = {"": "http://nobody.invalid/v1", "large": f"http://127.0.0.1:{large}/v1"}.get(
        silent, here
    )
    other = {"api_base": base, "model": f"openai/{silent or 'ok'}", "api_key": "sk-b"}
    mirror = {"timeout": "2s", "budget": {"usd": 1_000_000, "assumed_usd_per_call": 0}}
    return {
        "model_list": [
            {"model_name": "primary", "litellm_params": {**primary, "silent_model": "silent"}},
            {"model_name": "silent", "litellm_params": other},
        ],
        "understudy": {"mirror": mirror, "dashboard": {"port": 0}, "metrics": {"port": 0}},
    }


async def measure(
    subject: Subject, blocks: int, seconds: float, rate: float, resumes: bool
) -> Found:
    """Return both sides, and what became of the silent copies."""
    found = Found()
    async with grpc.aio.insecure_channel(f"127.0.0.1:{subject.port}") as channel:
        operations = operations_pb2_grpc.OperationsServiceStub(channel)
        await operations.PauseMirroring(operations_pb2.PauseMirroringRequest())
        await press(channel, Side(), 2.0, rate, PROMPT)
        before = count_descriptors(subject.pid)
        for block in range(2 * blocks):
            if block % 2 == 0:
                await operations.PauseMirroring(operations_pb2.PauseMirroringRequest())
                # What is still under way from the block before belongs to that block.
                await asyncio.sleep(2.5 if block and resumes else 0)
                await press(channel, found.off, seconds, rate, PROMPT)
            else:
                if resumes:
                    await operations.ResumeMirroring(operations_pb2.ResumeMirroringRequest())
                await press(channel, found.on, seconds, rate, PROMPT)
        await asyncio.sleep(2.5 if resumes else 0)
        told = await operations.GetStatus(operations_pb2.GetStatusRequest())
    found.ledger = write_ledger(told.mirror)
    found.descriptors = count_descriptors(subject.pid) - before
    return found


def tell(name: str, found: Found, subject: Subject) -> tuple[Row, str]:
    """Return a row of the table, and the verdict."""
    chance = random.Random(11)
    p50, p99 = (compare(found.off, found.on, share, chance) for share in (0.5, 0.99))
    verdict = judge(found.off, found.on, p50, p99)
    figures = (
        f"{found.off.quantile(0.5):.2f}",
        f"{p99.value:+.2f}",
        f"{found.off.quantile(0.99):.2f}",
        str(p50),
        str(p99),
        f"{found.off.failures}/{found.on.failures}",
        f"{memory(subject.pid):.0f}",
        f"{found.descriptors:+d}",
        found.ledger,
        verdict,
    )
    return Row(name, figures, p99.value, found.on.latencies), verdict


def count_descriptors(pid: int) -> int:
    """Return how many descriptors a process has open."""
    return sum(1 for _ in Path(f"/proc/{pid}/fd").iterdir())


def write_ledger(mirror: operations_pb2.MirrorStatus) -> str:
    """Return what became of each silent model's copies."""
    told: list[str] = []
    for one in mirror.silent_models:
        ended = sum(one.outcomes.values())
        outcomes = " ".join(
            f"{name.lower()} {count}" for name, count in sorted(one.outcomes.items()) if count
        )
        balanced = "=" if ended + one.in_flight == one.offered else "≠"
        told.append(f"{one.offered} {balanced} {outcomes}")
    return "; ".join(told)


if __name__ == "__main__":
    main()
