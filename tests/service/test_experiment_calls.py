"""Who answers a call when experiments run, and how its records say so."""

import asyncio
from collections import Counter
from pathlib import Path

import pytest

from understudy.v1 import experiment_pb2 as pb

from ..stub.faultstub import FaultStub
from .configs import deployment, write
from .experimenting import HI, Stage, models, said, staged
from .test_splits import p_value

USERS = [f"user-{number}" for number in range(60)]


def overriding(prompt: str) -> list[dict[str, object]]:
    """Two variants of one group: as it is, and with a prompt."""
    return [
        {"id": "plain", "model_group": "gpt-4", "weight": 5000},
        {
            "id": "brief",
            "model_group": "gpt-4",
            "weight": 5000,
            "overrides": {"system_prompt": prompt},
        },
    ]


async def variants_of(stage: Stage, users: list[str], experiment: str) -> dict[str, str]:
    """Return by user who answers."""
    answers = await asyncio.gather(
        *(stage.client.completion(messages=HI, experiment=experiment, user=one) for one in users)
    )
    return {user: answer.routing.variant for user, answer in zip(users, answers, strict=True)}


@pytest.mark.asyncio
@pytest.mark.parametrize("name", ["gpt-4", "best"])
async def test_a_call_by_group_follows_the_experiment_that_took_it_over(
    tmp_path: Path, name: str
) -> None:
    async with FaultStub() as stub:
        config = write(
            deployment(stub, "gpt-4", "gpt-4"),
            deployment(stub, "llama-2", "llama-2"),
            router_settings={"model_group_alias": {"best": "gpt-4"}},
            understudy={"state_dir": str(tmp_path)},
        )
        async with staged(config) as stage:
            assert await stage.ask(5, model=name) == {"": 5}
            await stage.create("x", model_group="gpt-4")
            found = await stage.ask(1000, model=name)
            assert p_value(found, {"gpt-4": 0.8, "llama-2": 0.2}) > 0.001
            # A split by `models` names groups as they are.
            split = Counter(
                [
                    (await stage.client.completion(messages=HI, models={"gpt-4": 1})).routing.model
                    for _ in range(50)
                ]
            )
            assert split == {"gpt-4": 50}


@pytest.mark.asyncio
async def test_a_variants_own_group_is_not_followed_into_a_takeover(tmp_path: Path) -> None:
    async with FaultStub() as stub, staged(models(stub, tmp_path)) as stage:
        # One takes gpt-4 over and gives all to llama-2, the other llama-2 and gives all to gpt-4.
        for taken, given in (("gpt-4", "llama-2"), ("llama-2", "gpt-4")):
            await stage.create(
                f"{taken}-taken",
                model_group=taken,
                variants=[
                    {"id": "all", "model_group": given, "weight": 10000},
                    {"id": "none", "model_group": taken, "weight": 0},
                ],
                control="all",
            )
        answer = await stage.client.completion(messages=HI, model="gpt-4")

    assert (answer.routing.model, answer.routing.experiment) == ("llama-2", "gpt-4-taken")


@pytest.mark.asyncio
async def test_an_experiment_on_a_group_may_have_that_group_as_its_control(
    tmp_path: Path,
) -> None:
    async with FaultStub() as stub, staged(models(stub, tmp_path)) as stage:
        await stage.create(
            "x", model_group="gpt-4", variants=overriding("Be brief."), control="plain"
        )
        await stage.ask(100, model="gpt-4")

        lengths = Counter(len(said(one)) for one in stub.requests)
        assert lengths.keys() == {1, 2}
        briefs = [said(one) for one in stub.requests if len(said(one)) == 2]
        assert all(one[0] == {"role": "system", "content": "Be brief."} for one in briefs)

        await stage.rollback("x")
        before = stub.count
        await stage.ask(50, model="gpt-4")
        assert {len(said(one)) for one in list(stub.requests)[before:]} == {1}


@pytest.mark.asyncio
async def test_users_and_labels_stay_and_requests_are_drawn(tmp_path: Path) -> None:
    even = [
        {"id": "gpt-4", "model_group": "gpt-4", "weight": 5000},
        {"id": "llama-2", "model_group": "llama-2", "weight": 5000},
    ]
    by_team = {"key": "KEY_METADATA", "metadata_key": "team"}
    async with FaultStub() as stub, staged(models(stub, tmp_path)) as stage:
        await stage.create("by-user", variants=even)
        await stage.create("by-team", variants=even, assignment=by_team)
        await stage.create("by-request", variants=even, assignment={"key": "KEY_REQUEST"})

        for user in USERS[:5]:
            assert len(await stage.ask(10, experiment="by-user", user=user)) == 1
            assert len(await stage.ask(10, experiment="by-team", metadata={"team": user})) == 1
        # Another key than the one that counts is none.
        assert len(await stage.ask(60, experiment="by-team", user="ann")) == 2
        assert len(await stage.ask(60, experiment="by-user")) == 2
        assert len(await stage.ask(60, experiment="by-request", user="ann")) == 2
        # A label that is empty is a label.
        assert len(await stage.ask(20, experiment="by-team", metadata={"team": ""})) == 1

        drawn = await stage.client.completion(messages=HI, experiment="by-user")
        stuck = await stage.client.completion(messages=HI, experiment="by-user", user="ann")
        (first,) = await stage.kept(drawn.routing.pair_id)
        (second,) = await stage.kept(stuck.routing.pair_id)

    assert (first["assignment"], first["key_hash"], first["epoch"]) == ("RANDOM", "", 1)
    assert (second["assignment"], second["epoch"]) == ("STICKY", 1)
    assert len(str(second["key_hash"])) == 16
    assert "ann" not in str(second["key_hash"])


@pytest.mark.asyncio
async def test_every_record_of_a_call_says_how_it_was_assigned(tmp_path: Path) -> None:
    """R-7: who stands in is recorded with the variant that was assigned."""
    async with FaultStub() as stub:
        config = write(
            deployment(stub, "bad", "status-503", silent_model="silent"),
            deployment(stub, "good", "good"),
            deployment(stub, "silent", "silent"),
            router_settings={"fallbacks": [{"bad": ["good"]}], "num_retries": 1},
            understudy={"state_dir": str(tmp_path)},
        )
        async with staged(config) as stage:
            started = await stage.create(
                "x",
                variants=[
                    {"id": "b", "model_group": "bad", "weight": 10000},
                    {"id": "g", "model_group": "good", "weight": 0},
                ],
                control="b",
            )
            answer = await stage.client.completion(messages=HI, experiment="x", user="ann")
            rows = await stage.kept(answer.routing.pair_id, at_least=4)

    assert (answer.routing.variant, answer.routing.model_group) == ("b", "good")
    assert Counter(row["role"] for row in rows) == {
        "PRIMARY": 1,
        "RETRY": 1,
        "FALLBACK": 1,
        "SILENT": 1,
    }
    assert {row["role"]: row["model_group"] for row in rows} == {
        "PRIMARY": "bad",
        "RETRY": "bad",
        "FALLBACK": "good",
        "SILENT": "silent",
    }
    for row in rows:
        assert (row["experiment"], row["variant"]) == ("x", "b")
        assert (row["assignment"], row["epoch"]) == ("STICKY", started.epochs[-1].number)
        assert row["key_hash"] == rows[0]["key_hash"] != ""
        assert row["config_revision"] == started.revision


@pytest.mark.asyncio
async def test_an_experiments_mirror_is_played_while_it_runs(tmp_path: Path) -> None:
    mirror = [{"model_group": "gpt-3.5-turbo", "overrides": {"system_prompt": "Be silent."}}]
    async with FaultStub() as stub, staged(models(stub, tmp_path)) as stage:
        await stage.create("x", mirror=mirror)
        answer = await stage.client.completion(messages=HI, experiment="x")
        rows = await stage.kept(answer.routing.pair_id, at_least=2)
        assert {row["role"] for row in rows} == {"PRIMARY", "SILENT"}
        silent = next(one for one in stub.requests if one.model == "gpt-3.5-turbo")
        assert said(silent)[0] == {"role": "system", "content": "Be silent."}

        await stage.rollback("x")
        before = stub.count
        await stage.ask(20, experiment="x")
        assert {one.model for one in list(stub.requests)[before:]} == {"gpt-4"}


@pytest.mark.asyncio
async def test_what_is_held_or_over_belongs_to_no_epoch(tmp_path: Path) -> None:
    async with FaultStub() as stub, staged(models(stub, tmp_path)) as stage:
        current = await stage.create("x")
        request = pb.PauseExperimentRequest(name=current.name, etag=current.etag)
        paused = (await stage.experiments.PauseExperiment(request)).experiment
        held = await stage.client.completion(messages=HI, experiment="x", user="ann")
        await stage.experiments.ConcludeExperiment(
            pb.ConcludeExperimentRequest(name=paused.name, etag=paused.etag, winner="llama-2")
        )
        over = await stage.client.completion(messages=HI, experiment="x", user="ann")
        (first,) = await stage.kept(held.routing.pair_id)
        (second,) = await stage.kept(over.routing.pair_id)

    assert (first["assignment"], first["epoch"]) == ("STICKY", 0)
    assert (second["assignment"], second["epoch"], second["variant"]) == (
        "CONCLUDED",
        0,
        "llama-2",
    )


@pytest.mark.asyncio
async def test_a_caller_that_is_much_of_an_experiment_is_warned_of(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async with FaultStub() as stub, staged(models(stub, tmp_path)) as stage:
        await stage.create("x")
        await stage.ask(900, experiment="x")
        await stage.ask(300, experiment="x", user="a-secretive-caller")

    (told,) = [one.getMessage() for one in caplog.records if "key_hash" in one.getMessage()]
    assert "experiment 'x'" in told
    assert "a-secretive-caller" not in told
