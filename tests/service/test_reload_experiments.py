"""What a reading of the file does to experiments: those it brings along, those it bereaves."""

import asyncio
from pathlib import Path
from typing import Any

import grpc
import pytest

from ..stub.eventually import eventually
from .asking import prompt, told
from .configs import write
from .reloading import reloadable, simulated


def experiment(**fields: Any) -> dict[str, Any]:
    variants = {"a": {"weight": 1, "model_group": "g"}, "b": {"weight": 1, "model_group": "h"}}
    return {"experiment": "mine", "state": "running", "variants": variants, **fields}


@pytest.mark.asyncio
async def test_a_share_whose_group_has_gone_fails_and_becomes_nobodys(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    state = str(tmp_path / "state")
    both = write(
        simulated("g"),
        simulated("h"),
        understudy={"state_dir": state, "experiments": {"seeds": [experiment()]}},
    )
    one = write(simulated("g"), understudy={"state_dir": state})
    async with reloadable(tmp_path / "c.yaml", both) as service:

        async def ask(number: int) -> str:
            request = prompt(experiment="mine", user=f"user-{number}")
            try:
                reply = await service.stub.CreateCompletion(request, timeout=10)
            except grpc.aio.AioRpcError as error:
                return told(error).reason
            return reply.routing.variant

        assert await service.reload(one) == ""
        answers = await asyncio.gather(*map(ask, range(40)))

    assert set(answers) == {"a", "DEPLOYMENT_UNUSABLE"}
    line = "experiment 'mine' variant 'b' names model group 'h', which is not in the file"
    assert [one for one in caplog.messages if one.startswith(line)]


@pytest.mark.asyncio
async def test_a_start_says_which_groups_experiments_miss(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    state = str(tmp_path / "state")
    seeds = {"seeds": [experiment()]}
    both = write(
        simulated("g"), simulated("h"), understudy={"state_dir": state, "experiments": seeds}
    )
    async with reloadable(tmp_path / "c.yaml", both):
        pass

    one = write(simulated("g"), understudy={"state_dir": state})
    async with reloadable(tmp_path / "c.yaml", one):
        pass

    assert [line for line in caplog.messages if "'b' names model group 'h'" in line]


@pytest.mark.asyncio
async def test_seeds_are_there_from_the_first_call_and_come_with_a_reload(tmp_path: Path) -> None:
    def seeded(*seeds: dict[str, Any]) -> str:
        section = {"state_dir": str(tmp_path / "state"), "experiments": {"seeds": list(seeds)}}
        return write(simulated("g"), simulated("h"), understudy={"server": {"port": 0}, **section})

    async with reloadable(tmp_path / "c.yaml", seeded(experiment())) as service:
        live = service.service.engine.live
        assert list(live.current.experiments) == ["mine"]
        revision = live.current.revision
        reply = await service.stub.CreateCompletion(prompt(experiment="mine"), timeout=10)
        await service.reload(seeded(experiment(), experiment(experiment="ours")))
        await eventually(lambda: "ours" in live.current.experiments)

    assert reply.routing.experiment == "mine"
    assert live.current.revision == revision + 1
