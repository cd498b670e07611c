"""S-5: a provider's key is seen by that provider and by nobody else."""

import base64
from pathlib import Path

import grpc
import pytest

from understudy.v1 import completion_pb2_grpc

from ..stub.faultstub import FaultStub
from .asking import prompt
from .configs import deployment, write
from .running import serving

CANARY = "sk-canary-9f8e7d6c5b4a39281706f5e4d3c2b1a0"
MODES = (
    "ok",
    "echo-key",
    "echo-key+status-401",
    "echo-key+status-500",
    "echo-key+redirect-307",
    "set-cookie",
    "status-429",
    "reset-mid-body",
    "close-before-headers",
    "junk",
    "html",
    "sse-error",
    "truncated",
)


def is_held_in(text: str) -> bool:
    """Whether the key, or its better half, or its base64, is in a text."""
    encoded = base64.b64encode(CANARY.encode()).decode().rstrip("=")
    return CANARY in text or CANARY[10:] in text or encoded in text


def all_that(error: grpc.aio.AioRpcError) -> str:
    trailers = [*(error.trailing_metadata() or ()), *(error.initial_metadata() or ())]
    shown = "".join(
        f"{key}{value.decode('latin-1') if isinstance(value, bytes) else value}"
        for key, value in trailers
    )
    return f"{error!r} {error.details()} {error.debug_error_string()} {shown}"


@pytest.mark.asyncio
async def test_a_key_is_in_no_log_no_error_and_no_other_request(tmp_path: Path) -> None:
    async with FaultStub() as own, FaultStub() as other:
        own.redirect_to = f"{other.url}/v1/chat/completions"
        entries = [
            deployment(own, mode, mode, api_key="os.environ/CANARY_KEY", num_retries=1)
            for mode in MODES
        ]
        # The same host with another key, and another host: each must see its own key only.
        entries += [
            deployment(own, "neighbour", api_key="sk-neighbour"),
            deployment(other, "elsewhere", api_key="sk-elsewhere"),
            deployment(
                own,
                "with-headers",
                "echo-key+status-500",
                api_key=CANARY,
                extra_headers={"x-api-key": CANARY},
            ),
        ]
        config = write(
            *entries,
            router_settings={"fallbacks": [{mode: ["elsewhere"]} for mode in MODES if "+" in mode]},
            general_settings={"master_key": "os.environ/MASTER"},
        )
        told: list[str] = []
        with serving(
            config,
            tmp_path,
            "--log-level",
            "debug",
            environment={"CANARY_KEY": CANARY, "MASTER": f"{CANARY}-master"},
        ) as server:
            auth = (("authorization", f"Bearer {CANARY}-master"),)
            wrong = (("authorization", f"Bearer {CANARY}-wrong"),)
            async with grpc.aio.insecure_channel(server.target) as channel:
                stub = completion_pb2_grpc.CompletionServiceStub(channel)
                for entry in entries:
                    for metadata in (auth, wrong):
                        request = prompt(entry["model_name"])
                        try:
                            told.append(
                                str(await stub.CreateCompletion(request, metadata=metadata))
                            )
                        except grpc.aio.AioRpcError as error:
                            told.append(all_that(error))
                        try:
                            async for piece in stub.StreamCompletion(request, metadata=metadata):
                                told.append(str(piece))
                        except grpc.aio.AioRpcError as error:
                            told.append(all_that(error))
            assert server.stop() == 0

        assert len(told) > 4 * len(entries) - 2
        assert not [one for one in told if is_held_in(one)]
        assert server.log
        assert not [line for line in server.log if is_held_in(line)]
        assert not is_held_in(server.ready)
        for seen in own.requests:
            sent = (seen.head + seen.body).decode("latin-1")
            assert is_held_in(sent) == (seen.model != "ok" or "sk-neighbour" not in sent)
            assert "cookie:" not in sent.lower()
        assert not [one for one in other.requests if is_held_in((one.head + one.body).decode())]
