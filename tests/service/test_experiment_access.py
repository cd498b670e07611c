"""S-9 for experiments, over the wire: who may is decided before anything else is."""

import hashlib
from collections.abc import AsyncGenerator
from pathlib import Path

import grpc
import pytest
import pytest_asyncio
from google.protobuf.message_factory import GetMessageClass

from understudy.server.domain.access import Role
from understudy.v1 import experiment_pb2 as pb
from understudy.v1 import experiment_pb2_grpc

from ..stub.faultstub import FaultStub
from .asking import prompt, told
from .experimenting import models
from .running import Local, local

SERVICE = pb.DESCRIPTOR.services_by_name["ExperimentService"]
METHODS = [one.name for one in SERVICE.methods]
READS = {"GetExperiment", "ListExperiments", "WatchExperiments", "ListAuditEntries"}
NOBODYS = "experiments/there-is-none"
REQUESTS = {
    "CreateExperiment": pb.CreateExperimentRequest(experiment_id="x"),
    "UpdateExperiment": pb.UpdateExperimentRequest(experiment=pb.Experiment(name=NOBODYS)),
    "ListExperiments": pb.ListExperimentsRequest(filter="colour = red"),
    "WatchExperiments": pb.WatchExperimentsRequest(revision=-1),
    "ListAuditEntries": pb.ListAuditEntriesRequest(parent="nonsense"),
}
C = grpc.StatusCode


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def guarded(tmp_path_factory: pytest.TempPathFactory) -> AsyncGenerator[Local]:
    """A service with a key for each role."""
    keys = [
        {
            "name": role.value,
            "sha256": hashlib.sha256(role.value.encode()).hexdigest(),
            "roles": [role.value],
        }
        for role in Role
    ]
    folder: Path = tmp_path_factory.mktemp("state")
    async with FaultStub() as stub:
        config = models(stub, folder, understudy={"server": {"port": 0, "api_keys": keys}})
        async with local(config) as running:
            yield running


async def ask(running: Local, method: str, key: str) -> tuple[grpc.StatusCode, str]:
    """Call a method with what must fail even for those who may; return the status and reason."""
    ask = getattr(experiment_pb2_grpc.ExperimentServiceStub(running.channel), method)
    kind = GetMessageClass(SERVICE.methods_by_name[method].input_type)
    request = REQUESTS.get(method) or kind(name=NOBODYS)
    metadata = (("authorization", f"Bearer {key}"),) if key else ()
    call = ask(request, metadata=metadata)
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await (call.read() if method == "WatchExperiments" else call)
    return caught.value.code(), told(caught.value).reason


@pytest.mark.asyncio(loop_scope="module")
@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("role", list(Role))
async def test_a_role_is_checked_before_what_it_asks_for(
    guarded: Local, role: Role, method: str
) -> None:
    may = role is Role.OPERATOR or (role is not Role.CALLER and method in READS)

    code, reason = await ask(guarded, method, role.value)

    assert (code is C.PERMISSION_DENIED) is (not may)
    assert (reason == "ROLE_MISSING") is (not may)
    assert code in (C.PERMISSION_DENIED, C.NOT_FOUND, C.INVALID_ARGUMENT, C.ABORTED)


@pytest.mark.asyncio(loop_scope="module")
@pytest.mark.parametrize("method", METHODS)
async def test_nobody_is_told_nothing(guarded: Local, method: str) -> None:
    assert await ask(guarded, method, "") == (C.UNAUTHENTICATED, "CREDENTIALS_MISSING")
    assert await ask(guarded, method, "wrong") == (C.UNAUTHENTICATED, "CREDENTIALS_REJECTED")


@pytest.mark.asyncio(loop_scope="module")
async def test_a_caller_may_follow_and_register_and_is_named_in_the_trail(guarded: Local) -> None:
    request = prompt(
        experiment="mine",
        models={"gpt-4": 1, "llama-2": 1},
        split_mode="SPLIT_MODE_REGISTER",
    )
    await guarded.stub.CreateCompletion(request, metadata=(("authorization", "Bearer caller"),))

    trail = await experiment_pb2_grpc.ExperimentServiceStub(guarded.channel).ListAuditEntries(
        pb.ListAuditEntriesRequest(parent="experiments/mine"),
        metadata=(("authorization", "Bearer viewer"),),
    )
    (entry,) = trail.audit_entries
    assert (entry.actor, entry.cause) == ("caller", "registered by a caller's split")
