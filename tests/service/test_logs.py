"""The log tells what happened, never what was said."""

import json
from pathlib import Path

import grpc
import pytest

from understudy.v1 import completion_pb2_grpc

from ..stub.faultstub import FaultStub
from .asking import prompt
from .configs import deployment, write
from .running import serving


@pytest.mark.asyncio
async def test_lines_are_json_and_hold_no_prompt_and_no_answer(tmp_path: Path) -> None:
    """S-6 and S-7."""
    async with FaultStub() as stub:
        config = write(deployment(stub, "fine", "echo"), deployment(stub, "bad", "status-500"))
        with serving(config, tmp_path, "--log-level", "debug") as server:
            async with grpc.aio.insecure_channel(server.target) as channel:
                ask = completion_pb2_grpc.CompletionServiceStub(channel)
                await ask.CreateCompletion(prompt("fine", "canary-prompt\n{}"))
                for model in ("bad", 'no\nsuch\u2028"model'):
                    with pytest.raises(grpc.aio.AioRpcError):
                        await ask.CreateCompletion(prompt(model, "canary-prompt", requestId="r-1"))
            assert server.stop() == 0

    lines = [json.loads(line) for line in server.log]
    assert not [line for line in server.log if "canary-prompt" in line]
    failed = [one for one in lines if one.get("reason") == "UPSTREAM_INTERNAL_ERROR"]
    assert len(failed) == 1
    assert failed[0]["level"] == "warning"
    assert failed[0]["request_id"] == "r-1"
    assert failed[0]["model_group"] == "bad"
    assert failed[0]["upstream_status"] == 500
    assert failed[0]["attempts"] == 2
    assert failed[0]["latency_ms"] > 0
    answered = [one for one in lines if one["message"] == "answered"]
    assert answered[0]["total_tokens"] > 0
