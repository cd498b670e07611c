"""C-1, C-2: experiments are one register with revisions, never older than acknowledged, never torn.

Eight writers and sixteen readers on two hosts, which share a PostgreSQL.
"""

import asyncio
import itertools
import json
import time
from collections.abc import Callable
from contextlib import AsyncExitStack, ExitStack
from pathlib import Path

import grpc
import pytest

from ..postgresql import database
from ..service.asking import prompt
from .history import Made, Read, Write, find_faults
from .hosts import Line, experiment, host, line
from .parrot import parrot

WRITERS, READERS = 8, 16
SECONDS = [4, pytest.param(60, marks=pytest.mark.proof)]


class Run:
    """What is done in a run, until `end`."""

    def __init__(self, seconds: float) -> None:
        self.end = time.monotonic() + seconds
        self.nonces = itertools.count(1)
        self.writes: list[Write] = []
        self.reads: list[Read] = []
        self.conflicts = 0

    async def write(self, host: Line) -> None:
        """Change everything, again and again."""
        etag = (await host.get()).etag
        while (invoked := time.monotonic()) < self.end:
            wanted = experiment(next(self.nonces), etag=etag)
            try:
                made = await host.update(wanted, "title", "variants")
            except grpc.aio.AioRpcError as error:
                if error.code() is not grpc.StatusCode.ABORTED:
                    raise
                self.conflicts += 1
                etag = (await host.get()).etag
                continue
            self.writes.append(Write(host.target, made.revision, invoked, time.monotonic()))
            etag = made.etag

    async def read(self, host: Line, reader: int) -> None:
        """Ask, again and again, as ever other callers."""
        for number in itertools.count():
            if (invoked := time.monotonic()) >= self.end:
                return
            request = prompt(experiment="x", user=f"{reader}-{number}")
            answer = await host.completions.CreateCompletion(request)
            ended = time.monotonic()
            asked = json.loads(answer.choices[0].message.content)
            routing = answer.routing
            nonce, variant = asked["messages"][0]["content"].split(":")
            assert variant == routing.variant
            nonces = (nonce, str(asked["max_tokens"] - 1), str(asked["seed"]))
            self.reads.append(
                Read(
                    host.target,
                    routing.config_revision,
                    routing.variant,
                    asked["model"],
                    nonces,
                    invoked,
                    ended,
                )
            )


async def find_made(host: Line) -> dict[int, Made]:
    """Return what each revision says, by the audit trail."""
    made: dict[int, Made] = {}
    for entry in await host.audit():
        after = json.loads(entry.after_json)
        variants = after["variants"]
        made[entry.revision] = Made(
            after["title"],
            {one["id"]: one["model_group"] for one in variants},
            {one["id"]: one.get("weight", 0) for one in variants},
        )
    return made


@pytest.mark.asyncio
@pytest.mark.parametrize("workers", [1, 2])
@pytest.mark.parametrize("seconds", SECONDS)
async def test_no_completion_is_older_than_acknowledged_and_none_is_torn(
    seconds: float,
    workers: int,
    postgresql: str,
    tmp_path: Path,
    record_property: Callable[[str, object], None],
    capsys: pytest.CaptureFixture[str],
) -> None:
    with ExitStack() as stack:
        store = stack.enter_context(database(postgresql))
        origin = stack.enter_context(parrot())
        one = stack.enter_context(host(origin, tmp_path / "1", store, workers=workers))
        other = stack.enter_context(host(origin, tmp_path / "2", store))
        async with AsyncExitStack() as lines:
            # A connection each: with workers, each may be served by another process.
            ones = [await lines.enter_async_context(line(one.target)) for _ in range(16)]
            others = [await lines.enter_async_context(line(other.target)) for _ in range(8)]
            await ones[0].run(experiment(0))
            await others[0].hear_of_it()
            run = Run(seconds)
            writers = [run.write(at) for at in (*ones[:5], *others[:3])]
            readers = [run.read(at, n) for n, at in enumerate((*ones[5:16], *others[3:8]))]
            assert (len(writers), len(readers)) == (WRITERS, READERS)
            await asyncio.gather(*writers, *readers)
            made = await find_made(ones[0])

    faults, stalest = find_faults(run.writes, run.reads, made)
    shares = {
        name: sum(one.host == name for one in run.reads) for name in (one.target, other.target)
    }
    told = (
        f"{len(run.writes)} changes and {run.conflicts} conflicts by {WRITERS} writers, "
        f"{len(run.reads)} completions by {READERS} readers ({list(shares.values())} by host) in "
        f"{seconds} s with {workers} workers: {len(faults)} faults, at worst {stalest:.3f} s stale"
    )
    record_property("register", told)
    with capsys.disabled():
        print(f"\n{told}")
    assert faults[:5] == []
    assert len(run.writes) > seconds
    assert len({one.revision for one in run.reads}) > seconds
    assert all(shares.values())
