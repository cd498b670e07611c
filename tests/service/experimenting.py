"""A service with experiments for tests: on the test's own loop, over the wire, by the client."""

import asyncio
import json
import sqlite3
from collections import Counter
from collections.abc import AsyncGenerator, Awaitable, Iterable, Mapping
from contextlib import asynccontextmanager, closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Unpack

import grpc
import pytest
from google.protobuf import json_format
from google.protobuf.field_mask_pb2 import FieldMask

from understudy.client import AsyncClient
from understudy.client.parameters import MessageInput, Parameters
from understudy.v1 import experiment_pb2 as pb
from understudy.v1 import experiment_pb2_grpc

from ..stub.faultstub import FaultStub
from ..stub.seen import Seen
from .asking import Told, told
from .configs import deployment, write
from .running import Local, local

HI: list[MessageInput] = [{"role": "user", "content": "hi"}]
State = pb.Experiment


async def refusal(call: Awaitable[object]) -> Told:
    """Return what a call that must fail tells."""
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await call
    return told(caught.value)


@dataclass(frozen=True, slots=True)
class Stage:
    """A running service: its stubs, and a client of it."""

    running: Local
    experiments: "experiment_pb2_grpc.ExperimentServiceAsyncStub"
    client: AsyncClient
    state_dir: Path

    async def create(
        self, experiment_id: str, *, start: bool = True, **fields: Any
    ) -> pb.Experiment:
        """Create an experiment from fields as JSON has them, and start it."""
        created = await self.experiments.CreateExperiment(
            pb.CreateExperimentRequest(experiment=draft(**fields), experiment_id=experiment_id)
        )
        return await self.start(created.experiment) if start else created.experiment

    async def get(self, experiment_id: str) -> pb.Experiment:
        """Return an experiment as it serves."""
        request = pb.GetExperimentRequest(name=f"experiments/{experiment_id}")
        return (await self.experiments.GetExperiment(request)).experiment

    async def start(self, current: pb.Experiment) -> pb.Experiment:
        """Start what was read."""
        request = pb.StartExperimentRequest(name=current.name, etag=current.etag)
        return (await self.experiments.StartExperiment(request)).experiment

    async def update(self, wanted: pb.Experiment, *paths: str) -> pb.UpdateExperimentResponse:
        """Change what was read."""
        return await self.experiments.UpdateExperiment(
            pb.UpdateExperimentRequest(experiment=wanted, update_mask=FieldMask(paths=paths))
        )

    async def rollback(self, experiment_id: str) -> pb.Experiment:
        """Roll back."""
        request = pb.RollbackExperimentRequest(name=f"experiments/{experiment_id}")
        return (await self.experiments.RollbackExperiment(request)).experiment

    async def ask(
        self, count: int, model: str | None = None, **parameters: Unpack[Parameters]
    ) -> Counter[str]:
        """Make so many calls, 64 at a time; return who answered, by variant."""
        found: Counter[str] = Counter()

        async def work(turns: Iterable[int]) -> None:
            for _ in turns:
                answer = await self.client.completion(model, HI, **parameters)
                found[answer.routing.variant] += 1

        turns = iter(range(count))
        await asyncio.gather(*(work(turns) for _ in range(min(count, 64))))
        return found

    async def split(
        self,
        count: int,
        models: Mapping[str, float],
        experiment_id: str,
        messages: list[MessageInput] = HI,
    ) -> Counter[str]:
        """Make so many calls as the tutorial does, 64 at a time."""
        found: Counter[str] = Counter()

        async def work(turns: Iterable[int]) -> None:
            for _ in turns:
                answer = await self.client.completion_with_split_tests(
                    models=models, messages=messages, use_client=True, id=experiment_id
                )
                found[answer.routing.variant] += 1

        turns = iter(range(count))
        await asyncio.gather(*(work(turns) for _ in range(min(count, 64))))
        return found

    async def kept(self, pair_id: str, at_least: int = 1) -> list[dict[str, object]]:
        """Return the records of a call as they are stored, once there are so many."""
        deadline = asyncio.get_running_loop().time() + 10
        while True:
            with closing(sqlite3.connect(self.state_dir / "records.db")) as connection:
                connection.row_factory = sqlite3.Row
                statement = "SELECT * FROM records WHERE pair_id = ? ORDER BY role, attempt"
                found = [dict(row) for row in connection.execute(statement, [pair_id])]
            if len(found) >= at_least:
                return found
            assert asyncio.get_running_loop().time() < deadline, f"{len(found)} records"
            await asyncio.sleep(0.05)


@asynccontextmanager
async def staged(config: str) -> AsyncGenerator[Stage]:
    """Run a service with this configuration on the current loop until the block ends."""
    async with local(config) as running, AsyncClient(running.service.address) as client:
        yield Stage(
            running,
            experiment_pb2_grpc.ExperimentServiceStub(running.channel),
            client,
            Path(json.loads(config)["understudy"]["state_dir"]),
        )


def models(
    stub: FaultStub, state_dir: Path, *names: str, understudy: Mapping[str, Any] | None = None
) -> str:
    """Return a configuration in which each name is a group that the stub plays."""
    return write(
        *(deployment(stub, name, name) for name in names or ("gpt-4", "llama-2", "gpt-3.5-turbo")),
        understudy={"state_dir": str(state_dir), **(understudy or {})},
    )


def draft(**fields: Any) -> pb.Experiment:
    """Return what somebody wants to create: by default 80/20 of two groups, each by its name."""
    whole = {
        "variants": [
            {"id": "gpt-4", "model_group": "gpt-4", "weight": 8000},
            {"id": "llama-2", "model_group": "llama-2", "weight": 2000},
        ],
        "control": "gpt-4",
        **fields,
    }
    return json_format.ParseDict(whole, pb.Experiment())


def weighed(current: pb.Experiment, **weights: int) -> pb.Experiment:
    """Return a copy with other weights; `_` stands for `-` in a variant's id."""
    wanted = pb.Experiment()
    wanted.CopyFrom(current)
    for one in wanted.variants:
        one.weight = weights[one.id.replace("-", "_").replace(".", "_")]
    return wanted


def said(seen: Seen) -> list[dict[str, object]]:
    """Return the messages of a request that the stub saw."""
    messages: list[dict[str, object]] = json.loads(seen.body)["messages"]
    return messages
