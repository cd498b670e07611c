"""What is the caller's own reaches the model byte for byte."""

import json

import grpc
import pytest

from ..stub.faultstub import FaultStub
from .asking import prompt
from .configs import deployment, write
from .running import local

SCHEMA = (
    '{"type":"object","properties":{"zeta":{"type":"integer","minimum":10,"maximum":1e3},'
    '"alpha":{"enum":[3,1,2]},"mid":{"const":12345678901234567890}},'
    '"required":["zeta","alpha"],"additionalProperties":false}'
)


@pytest.mark.asyncio
async def test_tool_parameters_and_schemas_keep_order_and_integers() -> None:
    request = prompt(
        "g",
        tools=[{"type": "function", "function": {"name": "f", "parametersJson": SCHEMA}}],
        responseFormat={
            "type": "json_schema",
            "jsonSchema": {"name": "s", "schemaJson": SCHEMA, "strict": True},
        },
        extraBodyJson='{"z_first": {"b": 1, "a": 2}, "a_second": 10}',
    )
    async with FaultStub() as stub, local(write(deployment(stub, "g"))) as running:
        await running.stub.CreateCompletion(request)

    body = stub.requests[0].body
    assert body.count(SCHEMA.encode()) == 2
    assert b'"z_first":{"b": 1, "a": 2}' in body
    assert body.index(b"z_first") < body.index(b"a_second")


@pytest.mark.asyncio
async def test_the_model_gets_the_prompt_and_nothing_of_ours() -> None:
    request = prompt(
        "g",
        "Grüße, 你好 \u0000 \U0001f3ad",
        metadata={"team": "canary-label"},
        requestId="canary-id",
    )
    async with FaultStub() as stub, local(write(deployment(stub, "g", temperature=0.5))) as running:
        await running.stub.CreateCompletion(request)

    seen = stub.requests[0]
    assert json.loads(seen.body) == {
        "model": "ok",
        "messages": [{"role": "user", "content": "Grüße, 你好 \u0000 \U0001f3ad"}],
        "temperature": 0.5,
    }
    assert b"canary" not in seen.head + seen.body
    assert seen.headers["authorization"] == "Bearer sk-test"
    assert seen.headers["accept-encoding"] == "identity"


@pytest.mark.asyncio
async def test_a_caller_cannot_name_a_host_or_a_key() -> None:
    """S-1: who is contacted is the configuration's."""
    async with (
        FaultStub() as stub,
        FaultStub() as elsewhere,
        local(write(deployment(stub, "g"))) as running,
    ):
        await running.stub.CreateCompletion(
            prompt("g", metadata={"api_base": elsewhere.url}),
            metadata=(("x-api-base", elsewhere.url), ("api-key", "sk-caller")),
        )
        for name in ("api_base", "base_url", "api_key"):
            with pytest.raises(grpc.aio.AioRpcError, match="for the operator to set"):
                await running.stub.CreateCompletion(
                    prompt("g", extraBodyJson=json.dumps({name: elsewhere.url}))
                )

    assert elsewhere.count == 0
    assert len(stub.requests) == 1
    assert b"sk-caller" not in stub.requests[0].head + stub.requests[0].body
