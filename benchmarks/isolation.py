"""`make bench-isolation`: what a silent model in trouble costs the primary.

Within one service, blocks with the mirror paused and resumed take turns; what counts is the
difference between them.
"""

import argparse
import asyncio
import json
import tempfile
from collections.abc import Generator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import grpc
import uvloop
from rich.console import Console
from rich.table import Column, Table

from benchmarks.load import memory
from benchmarks.relay import Subject, keep_to, starting
from benchmarks.sides import Side, press
from understudy.v1 import chat_pb2, completion_pb2, operations_pb2, operations_pb2_grpc

FAULTS = (
    "ok",
    "hang-headers",
    "hang-body",
    "status-500",
    "status-429",
    "reset",
    "redirect-307",
    "drip-1000ms",
    "huge",
    "gzip-1",
    "brackets-1000000",
)
PRIMARY = "slow-20ms"
PROMPT = completion_pb2.CreateCompletionRequest(
    model="primary", messages=[chat_pb2.ChatMessage(role="user", content="x" * 64)]
).SerializeToString()


def main() -> None:
    """Measure each fault, and print the table."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--blocks", type=int, default=3, help="pairs of blocks for each [3]")
    options.add_argument("--seconds", type=float, default=4.0, help="for each block [4]")
    options.add_argument("--rate", type=float, default=100.0, help="calls a second [100]")
    options.add_argument("--fault", action="append", help="one of the faults; repeatable [all]")
    given = options.parse_args()
    console = Console(width=110)
    table = Table(
        Column("silent model", no_wrap=True),
        "p50 off",
        "p50 on",
        "p99 off",
        "p99 on",
        "failed off/on",
        "RSS MiB",
        "ledger",
        title=f"the primary at {given.rate:.0f} calls/s, ms, mirror off and on in turn",
    )
    with ExitStack() as stack:
        stub = stack.enter_context(starting(["-m", "tests.stub"], {1}, "stub"))
        keep_to({1})
        for fault in given.fault or FAULTS:
            with console.status(fault), serving(stub.port, fault) as subject:
                off, on, ledger = uvloop.run(
                    measure(subject, given.blocks, given.seconds, given.rate)
                )
                table.add_row(
                    fault,
                    f"{off.quantile(0.5):.2f}",
                    f"{on.quantile(0.5):.2f}",
                    f"{off.quantile(0.99):.2f}",
                    f"{on.quantile(0.99):.2f}",
                    f"{off.failures}/{on.failures}",
                    f"{memory(subject.pid):.0f}",
                    ledger,
                )
    console.print(table)


@contextmanager
def serving(port: int, fault: str) -> Generator[Subject]:
    """Start a service whose primary is healthy and whose silent model has the fault."""
    base = {"api_base": f"http://127.0.0.1:{port}/v1"}
    primary = {**base, "model": f"openai/{PRIMARY}", "api_key": "sk-a", "silent_model": "silent"}
    silent = {**base, "model": f"openai/{fault}", "api_key": "sk-b"}
    config = {
        "model_list": [
            {"model_name": "primary", "litellm_params": primary},
            {"model_name": "silent", "litellm_params": silent},
        ],
    }
    mirror = {"timeout": "2s", "budget": {"usd": 1_000_000}}
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "config.yaml"
        section = {"mirror": mirror, "state_dir": folder}
        path.write_text(json.dumps({**config, "understudy": section}))
        arguments = ["-m", "understudy.server", "serve", "--config", str(path), "--port", "0"]
        with starting([*arguments, "--log-level", "error"], {0}, fault) as subject:
            yield subject


async def measure(
    subject: Subject, blocks: int, seconds: float, rate: float
) -> tuple[Side, Side, str]:
    """Return both sides, and what became of the silent copies."""
    off, on = Side(), Side()
    async with grpc.aio.insecure_channel(f"127.0.0.1:{subject.port}") as channel:
        operations = operations_pb2_grpc.OperationsServiceStub(channel)
        await press(channel, Side(), 1.0, rate, PROMPT)
        for block in range(2 * blocks):
            if block % 2 == 0:
                await operations.PauseMirroring(operations_pb2.PauseMirroringRequest())
                # What is still under way from the block before belongs to that block.
                await asyncio.sleep(2.5 if block else 0)
                await press(channel, off, seconds, rate, PROMPT)
            else:
                await operations.ResumeMirroring(operations_pb2.ResumeMirroringRequest())
                await press(channel, on, seconds, rate, PROMPT)
        await asyncio.sleep(2.5)
        told = await operations.GetStatus(operations_pb2.GetStatusRequest())
    return off, on, _ledger(told.mirror)


def _ledger(mirror: operations_pb2.MirrorStatus) -> str:
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
