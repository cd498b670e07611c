"""The tutorial's block b): the call stays as it is, and what it does changes live."""

import asyncio
import os
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from understudy.client import ExperimentWarning
from understudy.client.parameters import MessageInput

from ..stub.eventually import eventually
from ..stub.faultstub import FaultStub
from .experimenting import HI, State, models, said, staged, weighed
from .running import Demo
from .test_splits import p_value

CALLS = 2_000
ID = "my-unique-id"
LLAMA = "huggingface/https://my-unique-endpoint.us-east-1.aws.endpoints.huggingface.cloud"
TUTORIAL = """\
    from {module} import completion_with_split_tests

    split_per_model = {{
        "gpt-4": 0.8,
        "{llama}": 0.2
    }}

    messages = [{{ "content": "Hello, how are you?","role": "user"}}]

    response = completion_with_split_tests(
      models=split_per_model,
      messages=messages,
      use_client=True,
      id="my-unique-id-{module}"
    )
    print(response.routing.experiment, response.routing.model_group in split_per_model)
    """


@pytest.mark.parametrize("module", ["understudy.client", "understudy.server"])
def test_the_tutorial_runs_with_one_import_changed(demo: Demo, module: str) -> None:
    script = TUTORIAL.format(module=module, llama=LLAMA)
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(script)],
        env={**os.environ, "UNDERSTUDY_TARGET": demo.target},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )

    assert done.stderr == ""
    assert done.stdout == f"my-unique-id-{module} True\n"


@pytest.mark.asyncio
@pytest.mark.filterwarnings("ignore::understudy.client.ExperimentWarning")
async def test_a_split_a_model_and_a_prompt_change_live_and_the_next_calls_follow(
    tmp_path: Path,
) -> None:
    split = {"gpt-4": 0.8, "llama-2": 0.2}
    own: list[MessageInput] = [
        {"role": "system", "content": "Own."},
        {"role": "user", "content": "hi"},
    ]
    async with FaultStub() as stub, staged(models(stub, tmp_path)) as stage:
        first = await stage.split(CALLS, split, ID)
        assert p_value(first, {"gpt-4": 0.8, "llama-2": 0.2}) > 0.001
        registered = await stage.get(ID)
        assert registered.state == State.STATE_RUNNING
        assert [(one.id, one.weight) for one in registered.variants] == [
            ("gpt-4", 8000),
            ("llama-2", 2000),
        ]

        told = await stage.update(weighed(registered, gpt_4=5000, llama_2=5000), "variants")
        assert told.moved == 3000
        second = await stage.split(CALLS, split, ID)
        assert p_value(second, {"gpt-4": 0.5, "llama-2": 0.5}) > 0.001

        wanted = told.experiment
        wanted.variants[1].model_group = "gpt-3.5-turbo"
        wanted.variants[1].overrides.system_prompt = "Be brief."
        await stage.update(wanted, "variants")
        before = stub.count
        third = await stage.split(CALLS, split, ID, own)
        asked = list(stub.requests)[before:]

    assert p_value(third, {"gpt-4": 0.5, "llama-2": 0.5}) > 0.001
    assert len(asked) == CALLS
    assert {one.model for one in asked} == {"gpt-4", "gpt-3.5-turbo"}
    for seen in asked:
        prompt = [{"role": "system", "content": "Be brief."}] * (seen.model == "gpt-3.5-turbo")
        assert said(seen) == [*prompt, *own]


@pytest.mark.asyncio
@pytest.mark.filterwarnings("ignore::understudy.client.ExperimentWarning")
async def test_no_call_that_starts_after_a_rollback_reaches_the_other_variant(
    tmp_path: Path,
) -> None:
    split = {"gpt-4": 0.5, "llama-2": 0.5}
    async with FaultStub() as stub, staged(models(stub, tmp_path)) as stage:
        await stage.split(1, split, ID)
        running = asyncio.create_task(stage.split(400, split, ID))
        await eventually(lambda: stub.count > 100)

        ended = await stage.rollback(ID)
        for _ in range(4):
            afterwards = await asyncio.gather(
                *(
                    stage.client.completion_with_split_tests(
                        models=split, messages=HI, use_client=True, id=ID
                    )
                    for _ in range(CALLS // 4)
                )
            )
            assert {one.routing.variant for one in afterwards} == {"gpt-4"}
            assert {one.routing.model_group for one in afterwards} == {"gpt-4"}
            assert min(one.routing.config_revision for one in afterwards) >= ended.revision
        assert (await running).keys() == {"gpt-4", "llama-2"}
        again = await stage.rollback(ID)
        assert again == ended

        started = await stage.start(ended)
        assert started.name == ended.name
        assert started.assignment.salt != ended.assignment.salt
        found = await stage.split(CALLS, split, ID)

    assert p_value(found, {"gpt-4": 0.5, "llama-2": 0.5}) > 0.001


@pytest.mark.asyncio
async def test_a_thousand_first_calls_register_one_experiment(tmp_path: Path) -> None:
    async with FaultStub() as stub, staged(models(stub, tmp_path)) as stage:
        found = await stage.split(500, {"gpt-4": 0.8, "llama-2": 0.2}, ID)

        assert found.total() == 500
        assert (await stage.get(ID)).revision == stage.running.service.engine.live.current.revision


@pytest.mark.asyncio
async def test_a_client_is_told_once_that_the_live_split_differs(tmp_path: Path) -> None:
    async with FaultStub() as stub, staged(models(stub, tmp_path)) as stage:
        await stage.split(5, {"gpt-4": 0.8, "llama-2": 0.2}, ID)

        with pytest.warns(ExperimentWarning, match="gpt-4 80 %") as caught:
            await stage.split(5, {"gpt-4": 0.5, "llama-2": 0.5}, ID)

        assert len(caught) == 1
        assert caught[0].filename.endswith("experimenting.py")
        answer = await stage.client.completion_with_split_tests(
            models={"llama-2": 1.0}, messages=HI, override_client=True, id=ID
        )
        assert (answer.routing.variant, answer.routing.experiment) == ("llama-2", ID)
        assert not answer.warnings
        (record,) = await stage.kept(answer.routing.pair_id)

    assert (record["experiment"], record["variant"]) == (ID, "llama-2")
    assert (record["overridden"], record["assignment"], record["epoch"]) == (1, "OVERRIDDEN", 0)


@pytest.mark.asyncio
async def test_the_warning_of_a_stream_is_told_too(tmp_path: Path) -> None:
    async with FaultStub() as stub, staged(models(stub, tmp_path)) as stage:
        await stage.split(1, {"gpt-4": 0.8, "llama-2": 0.2}, ID)

        async def listen() -> None:
            pieces = stage.client.completion_with_split_tests(
                models={"gpt-4": 1}, messages=HI, use_client=True, id=ID, stream=True
            )
            text = "".join([one.delta.content async for p in pieces for one in p.choices])
            assert text.startswith("Hello from")

        with pytest.warns(ExperimentWarning, match="gpt-4 80 %") as caught:
            await listen()
        assert len(caught) == 1
        await listen()  # a warning would be an error


@pytest.mark.asyncio
async def test_a_draft_is_not_followed_and_the_client_is_told(tmp_path: Path) -> None:
    async with FaultStub() as stub, staged(models(stub, tmp_path)) as stage:
        await stage.create(ID, start=False)

        with pytest.warns(ExperimentWarning, match="is a draft") as caught:
            found = await stage.split(20, {"llama-2": 1}, ID)

        assert (len(caught), found) == (1, {"llama-2": 20})
