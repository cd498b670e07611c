"""What changes are refused over the wire: the status, and what the error says and carries."""

from collections.abc import Awaitable, Callable
from pathlib import Path

import grpc
import pytest

from understudy.v1 import completion_pb2
from understudy.v1 import experiment_pb2 as pb

from ..stub.faultstub import FaultStub
from .experimenting import Stage, models, refusal, staged, weighed

C = grpc.StatusCode
Split = completion_pb2.CreateCompletionRequest


Try = Callable[[Stage, pb.Experiment], Awaitable[object]]

REFUSED: dict[str, tuple[Try, grpc.StatusCode, str, dict[str, str]]] = {
    "an id that is taken": (
        lambda stage, _: stage.create("x"),
        C.ALREADY_EXISTS,
        "EXPERIMENT_EXISTS",
        {"experiment": "x"},
    ),
    "an id that is none": (
        lambda stage, _: stage.create("no id"),
        C.INVALID_ARGUMENT,
        "INVALID_REQUEST",
        {"field": "experiment_id"},
    ),
    "a group that is none": (
        lambda stage, _: stage.create("y", model_group="nobody"),
        C.NOT_FOUND,
        "MODEL_NOT_FOUND",
        {"model": "nobody", "field": "experiment.model_group"},
    ),
    "weights that are no whole": (
        lambda stage, one: stage.update(weighed(one, gpt_4=1, llama_2=2), "variants"),
        C.INVALID_ARGUMENT,
        "INVALID_REQUEST",
        {"field": "experiment.variants"},
    ),
    "a name that is none": (
        lambda stage, _: stage.experiments.GetExperiment(pb.GetExperimentRequest(name="x")),
        C.INVALID_ARGUMENT,
        "INVALID_REQUEST",
        {"field": "name"},
    ),
    "one that is not there": (
        lambda stage, _: stage.rollback("y"),
        C.NOT_FOUND,
        "EXPERIMENT_NOT_FOUND",
        {"experiment": "y"},
    ),
    "a second start": (
        lambda stage, one: stage.start(one),
        C.FAILED_PRECONDITION,
        "ILLEGAL_TRANSITION",
        {"experiment": "x", "state": "RUNNING"},
    ),
    "a resume of what runs": (
        lambda stage, one: stage.experiments.ResumeExperiment(
            pb.ResumeExperimentRequest(name=one.name, etag=one.etag)
        ),
        C.FAILED_PRECONDITION,
        "ILLEGAL_TRANSITION",
        {"experiment": "x", "state": "RUNNING"},
    ),
    "a deletion of what runs": (
        lambda stage, one: stage.experiments.DeleteExperiment(
            pb.DeleteExperimentRequest(name=one.name, etag=one.etag)
        ),
        C.FAILED_PRECONDITION,
        "ILLEGAL_TRANSITION",
        {"experiment": "x", "state": "RUNNING"},
    ),
    "a stale etag": (
        lambda stage, one: stage.experiments.PauseExperiment(
            pb.PauseExperimentRequest(name=one.name, etag='"1"')
        ),
        C.ABORTED,
        "ETAG_MISMATCH",
        {"experiment": "x", "currentEtag": '"3"'},
    ),
    "a winner that is none": (
        lambda stage, one: stage.experiments.ConcludeExperiment(
            pb.ConcludeExperimentRequest(name=one.name, etag=one.etag, winner="z")
        ),
        C.INVALID_ARGUMENT,
        "INVALID_REQUEST",
        {"field": "winner"},
    ),
    "a filter that is none": (
        lambda stage, _: stage.experiments.ListExperiments(
            pb.ListExperimentsRequest(filter="colour = red")
        ),
        C.INVALID_ARGUMENT,
        "INVALID_REQUEST",
        {"field": "filter"},
    ),
    "a revision that is still to come": (
        lambda stage, _: stage.experiments.WatchExperiments(
            pb.WatchExperimentsRequest(revision=-1)
        ).read(),
        C.INVALID_ARGUMENT,
        "INVALID_REQUEST",
        {"field": "revision"},
    ),
}


@pytest.mark.asyncio
@pytest.mark.parametrize("what", REFUSED)
async def test_a_refusal_has_its_status_and_says_what_is_wrong(what: str, tmp_path: Path) -> None:
    attempt, code, reason, labels = REFUSED[what]
    async with FaultStub() as stub, staged(models(stub, tmp_path)) as stage:
        one = await stage.create("x", model_group="gpt-4")

        refused = await refusal(attempt(stage, one))

        assert (refused.code, refused.reason) == (code, reason)
        assert refused.message.startswith(f"{reason}: ")
        assert refused.metadata.items() >= labels.items()
        assert await stage.get("x") == one


@pytest.mark.asyncio
async def test_a_group_has_one_live_experiment_and_the_refusal_names_it(tmp_path: Path) -> None:
    async with FaultStub() as stub, staged(models(stub, tmp_path)) as stage:
        first = await stage.create("x", model_group="gpt-4")
        second = await stage.create("y", start=False, model_group="gpt-4")

        refused = await refusal(stage.start(second))
        assert (refused.code, refused.reason) == (C.FAILED_PRECONDITION, "GROUP_TAKEN")
        assert refused.metadata == {"experiment": "x", "modelGroup": "gpt-4"}
        assert "PreconditionFailure" in refused.details

        first.control = "llama-2"
        refused = await refusal(stage.update(first, "control"))
        assert refused.reason == "IMMUTABLE_WHILE_RUNNING"
        assert refused.metadata["field"] == "experiment.control"

        # What ended gives way; the live one answers.
        await stage.rollback("x")
        await stage.start(second)
        answer = await stage.client.completion("gpt-4", [{"role": "user", "content": "hi"}])
        assert answer.routing.experiment == "y"
