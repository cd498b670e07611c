"""A service of several processes, and a look at them from outside."""

import re
from collections import Counter
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import grpc

from understudy.v1 import (
    completion_pb2_grpc,
    experiment_pb2,
    experiment_pb2_grpc,
    operations_pb2,
    operations_pb2_grpc,
)

from ..service.configs import deployment, write
from ..service.running import Demo
from ..stub.eventually import eventually
from ..stub.faultstub import FaultStub

DRAIN = {"delay": "200ms", "grace": "5s"}
READY = operations_pb2.GetStatusRequest()


def configure(stub: FaultStub, folder: Path, *, workers: int = 2, **understudy: Any) -> str:
    """A configuration whose group `a` answers, and mirrors to `b`."""
    server = {"port": 0, "workers": workers, "drain": DRAIN, **understudy.pop("server", {})}
    return write(
        deployment(stub, "a", "slow-5ms+first", silent_model="b"),
        deployment(stub, "b", "slow-5ms+second"),
        understudy={"server": server, "state_dir": str(folder / "state"), **understudy},
    )


@dataclass(frozen=True, slots=True)
class Line:
    """A connection of its own to the service."""

    channel: grpc.aio.Channel
    completions: "completion_pb2_grpc.CompletionServiceAsyncStub"
    experiments: "experiment_pb2_grpc.ExperimentServiceAsyncStub"
    operations: "operations_pb2_grpc.OperationsServiceAsyncStub"


def connect(target: str) -> Line:
    """Return a connection that is shared with nobody."""
    channel = grpc.aio.insecure_channel(target, options=[("grpc.use_local_subchannel_pool", 1)])
    return Line(
        channel,
        completion_pb2_grpc.CompletionServiceStub(channel),
        experiment_pb2_grpc.ExperimentServiceStub(channel),
        operations_pb2_grpc.OperationsServiceStub(channel),
    )


@asynccontextmanager
async def connected(
    server: Demo, *, lines: int = 4, metadata: Sequence[tuple[str, str | bytes]] = ()
) -> AsyncGenerator[list[Line]]:
    """Yield connections to the service, of which each worker has at least one.

    `metadata` is of somebody who may ask for the status.
    """
    async with AsyncExitStack() as stack:
        found: list[Line] = []
        while len(found) < lines or len(count_connections(server)) < len(workers(server)):
            assert len(found) < 64, "one worker has all connections"
            line = connect(server.target)
            await stack.enter_async_context(line.channel)
            await line.operations.GetStatus(READY, metadata=metadata)
            found.append(line)
        yield found


def workers(server: Demo) -> list[int]:
    """Return the processes that serve."""
    return children(server.process.pid)


def children(pid: int) -> list[int]:
    """Return the processes that a process has started."""
    found: list[int] = []
    for task in Path(f"/proc/{pid}/task").glob("*/children"):
        found += map(int, task.read_text().split())
    return sorted(found)


def is_gone(pid: int) -> bool:
    """Whether a process has ended, be it that nobody has asked how."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] in "ZX"
    except OSError:
        return True


def count_connections(server: Demo) -> Counter[int]:
    """Return how many of those who connected each worker has."""
    established = sockets(server, "01")
    found: Counter[int] = Counter()
    for pid in workers(server):
        for file in Path(f"/proc/{pid}/fd").iterdir():
            try:
                socket = re.fullmatch(r"socket:\[(\d+)\]", str(file.readlink()))
            except FileNotFoundError:
                continue  # closed meanwhile
            if socket is not None and socket[1] in established:
                found[pid] += 1
    return found


def sockets(server: Demo, state: str) -> set[str]:
    """Return the inodes of sockets of the service's port: 01 is established, 0A listens."""
    port = f":{int(server.target.rpartition(':')[2]):04X}"
    rows = [
        row.split()
        for table in ("tcp", "tcp6")  # what grpc opens is of IPv6, whatever it is for
        for row in Path(f"/proc/net/{table}").read_text().splitlines()[1:]
    ]
    return {row[9] for row in rows if row[1].endswith(port) and row[3] == state}


async def eventually_replaced(server: Demo, gone: int, *, size: int = 2) -> None:
    """Wait until a worker that was killed has a successor that takes calls."""
    await eventually(
        lambda: is_gone(gone) and len(workers(server)) == len(sockets(server, "0A")) == size,
        within=20,
    )


def experiment(weights: Mapping[str, int]) -> experiment_pb2.Experiment:
    """An experiment whose variants are called after their groups."""
    return experiment_pb2.Experiment(
        variants=[
            experiment_pb2.Variant(id=group, model_group=group, weight=weight)
            for group, weight in weights.items()
        ],
        control=next(iter(weights)),
    )
