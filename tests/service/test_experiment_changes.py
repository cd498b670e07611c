"""Changes over the wire: what is answered."""

import asyncio
from pathlib import Path

import grpc
import pytest
import yaml
from google.protobuf.field_mask_pb2 import FieldMask

from understudy.v1 import completion_pb2
from understudy.v1 import experiment_pb2 as pb

from ..stub.faultstub import FaultStub
from .asking import prompt, told
from .experimenting import State, draft, models, refusal, staged, weighed

C = grpc.StatusCode
Split = completion_pb2.CreateCompletionRequest


@pytest.mark.asyncio
async def test_the_life_of_an_experiment(tmp_path: Path) -> None:
    async with FaultStub() as stub, staged(models(stub, tmp_path)) as stage:
        ask = stage.experiments
        one = await stage.create("x", start=False, title="First", model_group="gpt-4")
        assert (one.name, one.state, one.etag) == ("experiments/x", State.STATE_DRAFT, '"2"')
        assert not one.assignment.salt
        one = await stage.start(one)
        assert (one.state, len(one.epochs), one.HasField("start_time")) == (
            State.STATE_RUNNING,
            1,
            True,
        )
        paused = await ask.PauseExperiment(pb.PauseExperimentRequest(name=one.name, etag=one.etag))
        assert paused.experiment.state == State.STATE_PAUSED
        resumed = await ask.ResumeExperiment(
            pb.ResumeExperimentRequest(name=one.name, etag=paused.experiment.etag)
        )
        assert resumed.experiment.state == State.STATE_RUNNING
        assert resumed.experiment.epochs == one.epochs
        ended = await ask.ConcludeExperiment(
            pb.ConcludeExperimentRequest(
                name=one.name, etag=resumed.experiment.etag, winner="llama-2"
            )
        )
        assert (ended.experiment.state, ended.experiment.winner) == (
            State.STATE_CONCLUDED,
            "llama-2",
        )
        (entry,) = yaml.safe_load(ended.config_yaml)["model_list"]
        assert entry["model_name"] == "gpt-4"
        assert entry["litellm_params"]["model"] == "openai/llama-2"
        assert await stage.ask(20, model="gpt-4") == {"llama-2": 20}
        await ask.DeleteExperiment(
            pb.DeleteExperimentRequest(name=one.name, etag=ended.experiment.etag)
        )
        assert await stage.ask(20, model="gpt-4") == {"": 20}

        trail = (
            await ask.ListAuditEntries(pb.ListAuditEntriesRequest(parent="experiments/-"))
        ).audit_entries
        assert [one.action for one in trail] == [
            "DeleteExperiment",
            "ConcludeExperiment",
            "ResumeExperiment",
            "PauseExperiment",
            "StartExperiment",
            "CreateExperiment",
        ]
        assert {one.actor for one in trail} == {"loopback"}
        assert [one.revision for one in trail] == [7, 6, 5, 4, 3, 2]
        assert not trail[0].after_json
        assert not trail[-1].before_json
        pages: list[str] = []
        request = pb.ListAuditEntriesRequest(
            parent="experiments/x", page_size=2, order_by="create_time", filter='actor="loopback"'
        )
        while True:
            page = await ask.ListAuditEntries(request)
            pages += [one.action for one in page.audit_entries]
            request.page_token = page.next_page_token
            if not request.page_token:
                break
        assert pages == [one.action for one in reversed(trail)]


@pytest.mark.asyncio
async def test_of_a_hundred_updates_on_one_etag_one_wins(tmp_path: Path) -> None:
    """C-3."""
    async with FaultStub() as stub, staged(models(stub, tmp_path)) as stage:
        current = await stage.create("x")

        async def change(number: int) -> str:
            wanted = weighed(current, gpt_4=9000 - number, llama_2=1000 + number)
            try:
                told_back = await stage.update(wanted, "variants")
            except grpc.aio.AioRpcError as error:
                refused = told(error)
                assert (refused.code, refused.reason) == (C.ABORTED, "ETAG_MISMATCH")
                assert refused.metadata["currentEtag"] == f'"{current.revision + 1}"'
                return ""
            return told_back.experiment.etag

        etags = await asyncio.gather(*(change(number) for number in range(100)))

        (winner,) = [number for number, etag in enumerate(etags) if etag]
        now = await stage.get("x")
        assert now.etag == etags[winner]
        assert now.variants[0].weight == 9000 - winner


@pytest.mark.asyncio
async def test_masks(tmp_path: Path) -> None:
    """C-6."""
    async with FaultStub() as stub, staged(models(stub, tmp_path)) as stage:
        one = await stage.create("x", start=False, title="Old")

        for path in ("state", "etag", "name", "nonsense", "variants.weight"):
            refused = await refusal(stage.update(one, path))
            assert (refused.code, refused.reason) == (C.INVALID_ARGUMENT, "BAD_UPDATE_MASK")
            assert refused.metadata["field"] == path
            assert "BadRequest" in refused.details

        # Without a mask, what is set.
        sparse = pb.Experiment(name=one.name, etag=one.etag, title="New")
        told_back = await stage.experiments.UpdateExperiment(
            pb.UpdateExperimentRequest(experiment=sparse)
        )
        assert told_back.experiment.title == "New"
        assert told_back.experiment.variants == one.variants

        # With `*`, everything: what is not there is gone.
        whole = draft()
        whole.name, whole.etag = one.name, told_back.experiment.etag
        assert not (await stage.update(whole, "*")).experiment.title

        refused = await refusal(stage.update(one, "title"))
        assert refused.reason == "ETAG_MISMATCH"
        one.etag = ""
        refused = await refusal(stage.update(one, "title"))
        assert (refused.code, refused.reason) == (C.INVALID_ARGUMENT, "INVALID_REQUEST")
        assert "etag is missing" in refused.message


@pytest.mark.asyncio
async def test_checking_only_changes_nothing(tmp_path: Path) -> None:
    async with FaultStub() as stub, staged(models(stub, tmp_path)) as stage:
        one = await stage.create("x")
        request = pb.UpdateExperimentRequest(
            experiment=weighed(one, gpt_4=5000, llama_2=5000),
            update_mask=FieldMask(paths=["variants"]),
            validate_only=True,
        )
        would = await stage.experiments.UpdateExperiment(request)
        assert would.moved == 3000
        assert would.experiment.variants[0].weight == 5000
        assert await stage.get("x") == one
        made = await stage.experiments.CreateExperiment(
            pb.CreateExperimentRequest(experiment=draft(), experiment_id="y", validate_only=True)
        )
        assert made.experiment.name == "experiments/y"
        assert (await refusal(stage.get("y"))).code is C.NOT_FOUND

        bad = pb.CreateExperimentRequest(
            experiment=draft(control="nobody"), experiment_id="y", validate_only=True
        )
        refused = await refusal(stage.experiments.CreateExperiment(bad))
        assert refused.metadata["field"] == "experiment.control"


@pytest.mark.asyncio
async def test_a_rolled_back_experiment_is_mended_and_started_again(tmp_path: Path) -> None:
    async with FaultStub() as stub, staged(models(stub, tmp_path)) as stage:
        await stage.create("x")
        one = await stage.rollback("x")

        wanted = weighed(one, gpt_4=5000, llama_2=5000)
        wanted.variants[1].model_group = "gpt-3.5-turbo"
        mended = await stage.update(wanted, "variants")
        assert (mended.moved, mended.experiment.state) == (0, State.STATE_ROLLED_BACK)
        assert await stage.ask(50, experiment="x") == {"gpt-4": 50}

        serving = pb.Experiment()
        serving.CopyFrom(mended.experiment)
        serving.variants[0].overrides.system_prompt = "Hello."
        refused = await refusal(stage.update(serving, "variants"))
        assert (refused.code, refused.reason) == (
            C.FAILED_PRECONDITION,
            "IMMUTABLE_WHILE_RUNNING",
        )

        again = await stage.start(mended.experiment)
        assert again.epochs[-1].number == 2
        assert len(await stage.ask(100, experiment="x")) == 2


@pytest.mark.asyncio
async def test_lists_are_filtered_ordered_and_paged(tmp_path: Path) -> None:
    async with FaultStub() as stub, staged(models(stub, tmp_path)) as stage:
        ask = stage.experiments
        for number in range(5):
            await stage.create(f"e-{number}", start=number % 2 == 0, title=f"t {number}")

        async def names(**fields: str) -> list[str]:
            found: list[str] = []
            request = pb.ListExperimentsRequest(page_size=2, **fields)
            while True:
                page = await ask.ListExperiments(request)
                assert len(page.experiments) <= 2
                found += [one.name.removeprefix("experiments/") for one in page.experiments]
                request.page_token = page.next_page_token
                if not request.page_token:
                    return found

        assert await names() == ["e-0", "e-1", "e-2", "e-3", "e-4"]
        assert await names(filter="state = RUNNING") == ["e-0", "e-2", "e-4"]
        assert await names(filter='title = "t 3"') == ["e-3"]
        assert await names(order_by="create_time desc") == ["e-4", "e-3", "e-2", "e-1", "e-0"]
        page = await ask.ListExperiments(pb.ListExperimentsRequest(page_size=2))
        refused = await refusal(
            ask.ListExperiments(
                pb.ListExperimentsRequest(page_token=page.next_page_token, filter="state = RUNNING")
            )
        )
        assert refused.metadata["field"] == "page_token"


@pytest.mark.asyncio
async def test_a_draft_serves_nobody_and_says_what_does(tmp_path: Path) -> None:
    async with FaultStub() as stub, staged(models(stub, tmp_path)) as stage:
        await stage.create("x", start=False, model_group="gpt-4")
        request = prompt(experiment="x")

        refused = await refusal(stage.running.stub.CreateCompletion(request))

        assert (refused.code, refused.reason) == (
            C.FAILED_PRECONDITION,
            "EXPERIMENT_NOT_STARTED",
        )
        assert "StartExperiment" in refused.message
        assert refused.metadata["experiment"] == "x"
        assert await stage.ask(1, model="gpt-4") == {"": 1}
        assert stub.count == 1
