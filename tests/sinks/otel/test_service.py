"""Every span of thousands of mirrored calls through a service comes to a collector, once."""

import asyncio
import json
from collections.abc import Callable
from pathlib import Path

import grpc
import pytest

from understudy.v1 import completion_pb2_grpc

from ...service.asking import prompt
from ...service.running import Demo, serving
from ...stub.eventually import eventually_sync
from .receiving import receiving
from .test_arrival import check_pairs
from .test_collector import collector

AT_ONCE = 16  # callers
CALLS = [300, pytest.param(5_000, marks=pytest.mark.proof)]


def config(state: Path, collector: str, protocol: str) -> str:
    """A silent model for each call, and a collector."""
    return json.dumps(
        {
            "model_list": [
                _deployment("primary", silent_model="silent"),
                _deployment("silent"),
            ],
            "litellm_settings": {"callbacks": ["otel"]},
            "environment_variables": {
                "OTEL_EXPORTER_OTLP_ENDPOINT": collector,
                "OTEL_EXPORTER_OTLP_PROTOCOL": protocol,
            },
            "understudy": {
                # A copy that is shed has no span; here none may be.
                "mirror": {"yield_at": "off", "max_in_flight": 1000},
                "dashboard": {"enabled": False},
                "metrics": {"enabled": False},
                "state_dir": str(state),
            },
        }
    )


def _deployment(name: str, **params: str) -> dict[str, object]:
    quick = {"latency": 0, "tokens_per_second": 1e6, "reply": "yes"}
    given = {"model": f"simulated/{name}", "simulated": quick, **params}
    return {"model_name": name, "litellm_params": given}


async def ask(one: Demo, calls: int) -> list[str]:
    """Make so many calls; return the ids of their pairs."""
    async with grpc.aio.insecure_channel(one.target) as channel:
        stub = completion_pb2_grpc.CompletionServiceStub(channel)
        pairs: list[str] = []

        async def keep_asking() -> None:
            for _ in range(calls // AT_ONCE + 1):
                answer = await stub.CreateCompletion(prompt("primary"))
                pairs.append(answer.routing.pair_id)

        await asyncio.gather(*(keep_asking() for _ in range(AT_ONCE)))
        return pairs


@pytest.mark.parametrize("calls", CALLS)
@pytest.mark.parametrize("way", ["http/protobuf", "grpc"])
def test_every_span_of_mirrored_calls_comes_to_a_collector(
    way: str, calls: int, tmp_path: Path, record_property: Callable[[str, object], None]
) -> None:
    with receiving() as behind, collector(behind.url, tmp_path) as urls:
        with serving(config(tmp_path / "state", urls[way], way), tmp_path) as one:
            pairs = asyncio.run(ask(one, calls))
            assert one.stop() == 0
        eventually_sync(lambda: len(behind.spans) >= 3 * len(pairs), within=60)

        record_property("spans", len(behind.spans))
        assert not behind.faults
        check_pairs(behind.spans, pairs)
