"""Hosts for the proofs: services in processes of their own, and who changes and asks them."""

import asyncio
import json
import time
from collections.abc import AsyncGenerator, Generator, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import grpc
from google.protobuf import json_format
from grpc_health.v1 import health_pb2

from understudy.v1 import completion_pb2_grpc, experiment_pb2, experiment_pb2_grpc

from ..service.asking import Told, told
from ..service.running import Demo, serving

NAME = "experiments/x"
GROUPS = ("model-0", "model-1", "model-2")
PATIENCE = 10.0  # seconds
SIMULATED = "simulated"  # instead of an origin: no model server, answers at once


def config(
    origin: str, *, store: str | None = None, state: Path | str = "state", **server: Any
) -> str:
    """A configuration with three groups. `store` is a URL, None for SQLite; `server` is merged."""
    return json.dumps(
        {
            "model_list": [_deployment(group, origin) for group in GROUPS],
            "understudy": {
                "server": {"port": 0, "drain": {"delay": "10ms", "grace": "2s"}, **server},
                "state_dir": str(state),
                "store": {"url": store},
                "records": {"enabled": False},
                "dashboard": {"enabled": False},
            },
        }
    )


def _deployment(group: str, origin: str) -> dict[str, Any]:
    if origin == SIMULATED:
        params: dict[str, Any] = {
            "model": f"simulated/{group}",
            "simulated": {"latency": 0, "tokens_per_second": 1e6, "reply": "yes"},
        }
    else:
        params = {"model": f"openai/{group}", "api_base": f"{origin}/v1", "api_key": "sk-test"}
    return {"model_name": group, "litellm_params": params}


@contextmanager
def host(
    origin: str,
    folder: Path,
    store: str | None = None,
    *,
    state: Path | None = None,
    module: str = "understudy.server",
    **server: Any,
) -> Generator[Demo]:
    """Run a host until the block ends. Its state directory is in `folder` unless it is said."""
    folder.mkdir(exist_ok=True)
    text = config(origin, store=store, state=state or folder / "state", **server)
    with serving(text, folder, module=module) as one:
        yield one


@dataclass(frozen=True, slots=True)
class Line:
    """A connection to a host: who changes its experiments, and who asks its models."""

    target: str
    experiments: "experiment_pb2_grpc.ExperimentServiceAsyncStub"
    completions: "completion_pb2_grpc.CompletionServiceAsyncStub"
    channel: grpc.aio.Channel

    async def is_serving(self, service: str) -> bool:
        """Return what balancers are told of a service."""
        check: grpc.aio.UnaryUnaryMultiCallable[
            health_pb2.HealthCheckRequest, health_pb2.HealthCheckResponse
        ] = self.channel.unary_unary(
            "/grpc.health.v1.Health/Check",
            request_serializer=health_pb2.HealthCheckRequest.SerializeToString,
            response_deserializer=health_pb2.HealthCheckResponse.FromString,
        )
        answer = await check(health_pb2.HealthCheckRequest(service=service))
        return answer.status == health_pb2.HealthCheckResponse.SERVING

    async def get(self) -> experiment_pb2.Experiment:
        """Return the experiment as it serves."""
        request = experiment_pb2.GetExperimentRequest(name=NAME)
        return (await self.experiments.GetExperiment(request)).experiment

    async def hear_of_it(self) -> None:
        """Wait until the experiment, which another host was told of, runs here too."""
        deadline = time.monotonic() + PATIENCE
        while not await self._runs():
            assert time.monotonic() < deadline
            await asyncio.sleep(0.02)

    async def _runs(self) -> bool:
        try:
            return (await self.get()).state == experiment_pb2.Experiment.STATE_RUNNING
        except grpc.aio.AioRpcError:
            return False

    async def run(self, wanted: experiment_pb2.Experiment) -> experiment_pb2.Experiment:
        """Create the experiment and start it."""
        created = await self.experiments.CreateExperiment(
            experiment_pb2.CreateExperimentRequest(experiment=wanted, experiment_id="x")
        )
        start = experiment_pb2.StartExperimentRequest(name=NAME, etag=created.experiment.etag)
        return (await self.experiments.StartExperiment(start)).experiment

    async def update(
        self, wanted: experiment_pb2.Experiment, *paths: str, timeout: float = 60
    ) -> experiment_pb2.Experiment:
        """Change the experiment; `wanted` has the etag."""
        request = experiment_pb2.UpdateExperimentRequest(experiment=wanted)
        request.experiment.name = NAME
        request.update_mask.paths.extend(paths)
        answer = await self.experiments.UpdateExperiment(request, timeout=timeout)
        return answer.experiment

    async def rename(self, title: str, *, timeout: float = 60) -> experiment_pb2.Experiment:
        """Change the title, whatever it is now."""
        wanted = await self.get()
        wanted.title = title
        return await self.update(wanted, "title", timeout=timeout)

    async def audit(self) -> Sequence[experiment_pb2.AuditEntry]:
        """Return all audit entries, the newest first."""
        found: list[experiment_pb2.AuditEntry] = []
        request = experiment_pb2.ListAuditEntriesRequest(parent=NAME, page_size=20)
        while True:
            page = await self.experiments.ListAuditEntries(request)
            found.extend(page.audit_entries)
            if not page.next_page_token:
                return found
            request.page_token = page.next_page_token


@asynccontextmanager
async def line(target: str) -> AsyncGenerator[Line]:
    """Connect to a host."""
    # Subchannels are shared between channels of like options: each host's restart is its own.
    options = [("grpc.use_local_subchannel_pool", 1), ("grpc.max_receive_message_length", -1)]
    async with grpc.aio.insecure_channel(target, options=options) as channel:
        yield Line(
            target,
            experiment_pb2_grpc.ExperimentServiceStub(channel),
            completion_pb2_grpc.CompletionServiceStub(channel),
            channel,
        )


def experiment(nonce: int, *, etag: str = "") -> experiment_pb2.Experiment:
    """An experiment with a nonce in every field that a change may set."""
    weights = ((10_000, 0), (0, 10_000), (5_000, 5_000))[nonce % 3]
    variants = [
        {
            "id": name,
            "model_group": GROUPS[(nonce + index) % 3],
            "weight": weights[index],
            "overrides": {
                "system_prompt": f"{nonce}:{name}",
                "max_tokens": nonce + 1,
                "params_json": json.dumps({"seed": nonce}),
            },
        }
        for index, name in enumerate(("a", "b"))
    ]
    body = {"title": str(nonce), "variants": variants, "control": "a", "etag": etag}
    return json_format.ParseDict(body, experiment_pb2.Experiment())


async def refused(call: Any) -> tuple[Told, float]:
    """Make a call that must fail; return what it told, and after how many seconds."""
    started = time.monotonic()
    try:
        await call
    except grpc.aio.AioRpcError as error:
        return told(error), time.monotonic() - started
    raise AssertionError("it was not refused")


async def hold(seconds: float) -> None:
    """Let a state that a test is about last for a time; this waits for nothing."""
    await asyncio.sleep(seconds)
