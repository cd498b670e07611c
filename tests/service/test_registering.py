"""Experiments that calls bring along: where they may, and what is refused."""

from pathlib import Path

import grpc
import pytest

from understudy.v1 import completion_pb2
from understudy.v1 import experiment_pb2 as pb

from ..stub.faultstub import FaultStub
from .asking import prompt
from .configs import deployment, write
from .experimenting import models, refusal, staged

C = grpc.StatusCode
Split = completion_pb2.CreateCompletionRequest


def registering(experiment: str, models: dict[str, float], control: str = "") -> Split:
    return prompt(
        experiment=experiment,
        models=models,
        split_mode="SPLIT_MODE_REGISTER",
        **({"control": control} if control else {}),
    )


@pytest.mark.asyncio
async def test_where_calls_may_not_register_the_refusal_says_what_to_do(tmp_path: Path) -> None:
    async with FaultStub() as stub:
        off = {"experiments": {"register_on_first_call": False}}
        async with staged(models(stub, tmp_path, understudy=off)) as stage:
            call = stage.running.stub.CreateCompletion(registering("x", {"gpt-4": 1}))
            refused = await refusal(call)
            assert (refused.code, refused.reason) == (C.NOT_FOUND, "EXPERIMENT_NOT_FOUND")
            assert "understudy experiments create" in refused.message
            assert "register_on_first_call" in refused.message
            assert refused.details == {"ResourceInfo"}

            # One that is there is followed.
            await stage.create("x")
            answer = await stage.running.stub.CreateCompletion(
                registering("x", {"gpt-4": 0.8, "llama-2": 0.2})
            )
            assert answer.routing.experiment == "x"
            assert not answer.warnings
        assert stub.count == 1


@pytest.mark.asyncio
@pytest.mark.parametrize(
    ("experiment", "models_", "control", "code", "field"),
    [
        ("no id", {"gpt-4": 1.0, "llama-2": 1.0}, "", C.INVALID_ARGUMENT, "experiment"),
        ("-x", {"gpt-4": 1.0, "llama-2": 1.0}, "", C.INVALID_ARGUMENT, "experiment"),
        ("x" * 129, {"gpt-4": 1.0, "llama-2": 1.0}, "", C.INVALID_ARGUMENT, "experiment"),
        ("x", {"gpt-4": 1.0, "nobody": 1.0}, "", C.NOT_FOUND, "models['nobody']"),
        ("x", {"gpt-4": 1.0, "llama-2": -1.0}, "", C.INVALID_ARGUMENT, "models['llama-2']"),
        ("x", {"gpt-4": 0.0, "llama-2": 0.0}, "", C.INVALID_ARGUMENT, "models"),
        ("x", {"gpt-4": 1.0, "llama-2": 1.0}, "nobody", C.INVALID_ARGUMENT, "control"),
        ("x", {"gpt-4": 1.0}, "", C.INVALID_ARGUMENT, "models"),
    ],
)
async def test_what_cannot_be_registered_is_refused_by_the_calls_own_field(
    tmp_path: Path,
    experiment: str,
    models_: dict[str, float],
    control: str,
    code: grpc.StatusCode,
    field: str,
) -> None:
    async with FaultStub() as stub, staged(models(stub, tmp_path)) as stage:
        request = registering(experiment, models_, control)
        refused = await refusal(stage.running.stub.CreateCompletion(request))

        assert refused.code is code
        assert refused.metadata["field"] == field
        assert stub.count == 0
        found = await stage.experiments.ListExperiments(pb.ListExperimentsRequest())
        assert not found.experiments


@pytest.mark.asyncio
async def test_variants_are_named_after_their_groups_as_far_as_ids_go(tmp_path: Path) -> None:
    async with FaultStub() as stub:
        url = "huggingface/https://my-unique-endpoint.example"
        config = write(
            deployment(stub, "gpt-4", "gpt-4"),
            deployment(stub, url, "llama"),
            understudy={"state_dir": str(tmp_path)},
        )
        async with staged(config) as stage:
            await stage.running.stub.CreateCompletion(
                registering("x", {"gpt-4": 2, url: 1}, "gpt-4")
            )
            made = await stage.get("x")

    assert [(one.id, one.model_group, one.weight) for one in made.variants] == [
        ("gpt-4", "gpt-4", 6667),
        ("huggingface-https-my-unique-endpoint.example", url, 3333),
    ]
    assert made.control == "gpt-4"
