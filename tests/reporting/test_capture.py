"""Reports of a running service: the same at every capture level, and true to what was played."""

import asyncio
from pathlib import Path
from typing import Any

import pytest

from understudy.server.database.engine import open_engine
from understudy.server.domain.estimates import Interval
from understudy.server.domain.reports import Section
from understudy.server.records.opening import FILE

from ..service.asking import prompt
from ..service.configs import write
from ..service.running import local
from ..stub.eventually import eventually
from .filling import find, report, value
from .lawful import LawfulModel

NOW = 2**52  # after all that is recorded
RATES = {"primary": 3e-6, "silent": 1e-6}  # dollars for a token
AT_ONCE = 25
COMPARED = (
    "offered",
    "paired",
    "completeness",
    "cost_mean",
    "cost_mean_baseline",
    "cost_mean_difference",
    "cost_ratio",
    "completion_tokens_mean_difference",
    "error_rate_difference",
    "equal_rate",
    "normalized_equal_rate",
    "both_json_rate",
    "similarity_mean",
    "length_mean_difference",
)


def deployment(model: LawfulModel, group: str, **params: Any) -> dict[str, Any]:
    rate = RATES[group]
    return {
        "model_name": group,
        "litellm_params": {
            "model": f"openai/{group}",
            "api_base": f"{model.url}/v1",
            "api_key": "sk-test",
            "input_cost_per_token": rate,
            "output_cost_per_token": rate,
            **params,
        },
    }


async def play(folder: Path, capture: str, count: int) -> tuple[Section, dict[str, list[float]]]:
    """Have calls mirrored; return the report on the silent model, and either model's delays."""
    async with (
        LawfulModel("primary", 0.030, 0.4, 3, seed=1) as primary,
        LawfulModel("silent", 0.060, 0.4, 2, seed=2) as silent,
        local(
            write(
                deployment(primary, "primary", silent_model="silent"),
                deployment(silent, "silent"),
                understudy={
                    "state_dir": str(folder),
                    "records": {"capture": capture, "flush": "20ms"},
                    "server": {"port": 0, "drain": {"delay": "0s", "grace": "10s"}},
                },
            )
        ) as running,
    ):
        room = asyncio.Semaphore(AT_ONCE)

        async def ask(number: int) -> None:
            async with room:
                await running.stub.CreateCompletion(prompt("primary", f"question {number}"))

        await asyncio.gather(*(ask(number) for number in range(count)))
        await eventually(lambda: len(silent.delays) == count, within=20)
        delays = {"primary": primary.delays, "silent": silent.delays}
    engine = open_engine(None, folder / FILE, "understudy.records.url")
    try:
        found = await asyncio.to_thread(report, engine, "silentModels/silent", now=NOW)
    finally:
        engine.dispose()
    (section,) = found.sections
    return section, delays


def tell(section: Section, metric: str) -> tuple[float, ...]:
    """Return the numbers of a figure. Their last digits depend on the order of the calls."""
    found = find(section, metric)
    if not isinstance(found, Interval):
        return found.n, found.needed or 0
    return found.estimate, found.low, found.high, found.n, found.p or 0


async def compare_captures(folder: Path, count: int) -> tuple[Section, dict[str, list[float]]]:
    """Play the same to a service that keeps words and to one that does not."""
    section, delays = await play(folder / "metadata", "metadata", count)
    other, _ = await play(folder / "content", "content", count)
    for metric in COMPARED:
        assert tell(section, metric) == pytest.approx(tell(other, metric), rel=1e-6), metric
    assert value(section, "paired").estimate == count
    equal = value(section, "equal_rate").estimate
    assert 0 < equal < 1
    assert 0 < value(section, "similarity_mean").estimate < 1
    assert value(section, "cost_mean_baseline").estimate > value(section, "cost_mean").estimate > 0
    return section, delays


@pytest.mark.asyncio
async def test_comparisons_are_the_same_whatever_is_captured(tmp_path: Path) -> None:
    await compare_captures(tmp_path, 300)


def quantile(values: list[float], share: float) -> float:
    return sorted(values)[int(share * len(values))]


@pytest.mark.proof
@pytest.mark.asyncio
async def test_five_thousand_calls_show_the_laws_of_both_models(tmp_path: Path) -> None:
    section, delays = await compare_captures(tmp_path, 5_000)

    # Between the model's own clock and ours is what the machine takes for either.
    between = 0.015
    for metric, played, share in (
        ("latency_p50_baseline", delays["primary"], 0.5),
        ("latency_p50", delays["silent"], 0.5),
        ("latency_p95_baseline", delays["primary"], 0.95),
        ("latency_p95", delays["silent"], 0.95),
    ):
        found = value(section, metric)
        assert found.low - between <= quantile(played, share) <= found.high, (metric, found)
    slower = value(section, "latency_ratio")
    assert slower.p is not None
    assert slower.p < 1e-9
    cost = find(section, "cost_mean_difference")
    assert isinstance(cost, Interval)
    assert cost.high < 0
