"""What a running service tells Prometheus equals what its store and its status say of it."""

import asyncio
import sqlite3
import time
from collections import Counter
from contextlib import closing, suppress
from pathlib import Path
from typing import Any

import grpc
import pytest

from understudy.server.app import running
from understudy.server.config import parse
from understudy.server.errors import ConfigError
from understudy.v1 import operations_pb2, operations_pb2_grpc

from ..sinks.metrics.telling import Series, total
from ..stub.eventually import eventually
from ..stub.faultstub import FaultStub
from .asking import prompt
from .configs import deployment, write
from .running import Local, local, serving
from .scraping import Page, fetch, get, scrape

pytestmark = pytest.mark.asyncio

PRICES: dict[str, Any] = {"input_cost_per_token": 1e-6, "output_cost_per_token": 2e-6}
HOSTILE = 'g"} 1 # HELP \\n ünï'
UPSTREAM = "understudy_upstream_call"


def configure(stub: FaultStub, folder: Path, **understudy: Any) -> str:
    """Groups that answer, fail and retry, of which one mirrors to two others."""
    return write(
        deployment(stub, "well", silent_model=["silent", "ill"], **PRICES),
        deployment(stub, "silent", "slow-5ms", **PRICES),
        deployment(stub, "ill", "status-500"),
        deployment(stub, HOSTILE),
        understudy={
            "server": {"port": 0, "drain": {"delay": "0s", "grace": "5s"}},
            "state_dir": str(folder),
            "records": {"flush": "20ms"},
            **understudy,
        },
    )


async def ask(running: Local, model: str, **fields: Any) -> None:
    with suppress(grpc.aio.AioRpcError):
        await running.stub.CreateCompletion(prompt(model, **fields))


async def stream(running: Local, model: str) -> None:
    async for _ in running.stub.StreamCompletion(prompt(model)):
        pass


async def send_traffic(running: Local) -> None:
    """Send answers, streams, failures, and requests for what there is not."""
    async with asyncio.TaskGroup() as group:
        for number in range(12):
            group.create_task(ask(running, "well", user=f"user-{number}"))
        for _ in range(4):
            group.create_task(stream(running, "well"))
            group.create_task(ask(running, "ill"))
        for number in range(20):
            group.create_task(ask(running, f"caller-named-{number}"))
        group.create_task(ask(running, HOSTILE))


def by_role(found: Series, name: str) -> Counter[tuple[str, str]]:
    """Return a metric's sums by group and role, those of which there are none left out."""
    sums: Counter[tuple[str, str]] = Counter()
    for (one, labels), value in found.items():
        if one == name and value:
            of = dict(labels)
            sums[of["group"], of["role"]] += round(value * (1e9 if "usd" in name else 1))
    return sums


def stored(folder: Path, what: str) -> Counter[tuple[str, str]]:
    """Return the same of the store."""
    with closing(sqlite3.connect(folder / "records.db")) as connection:
        rows = connection.execute(
            f"SELECT model_group, role, {what} FROM records GROUP BY 1, 2"
        ).fetchall()
    return Counter({(group, role): value for group, role, value in rows if value})


async def test_the_sums_equal_the_rows_of_the_store_and_the_status(tmp_path: Path) -> None:
    async with FaultStub() as stub, local(configure(stub, tmp_path)) as running:
        await send_traffic(running)
        mirror = running.service.engine.mirror
        await eventually(
            lambda: sum(one.figures.open for one in mirror.state.silent_models) == 0, within=10
        )
        recorder = running.service.engine.records
        assert recorder is not None
        await eventually(lambda: recorder.recorder.figures.waiting == 0, within=10)
        found = await scrape(running.service.metrics)
        status = await operations_pb2_grpc.OperationsServiceStub(running.channel).GetStatus(
            operations_pb2.GetStatusRequest()
        )

    assert by_role(found, f"{UPSTREAM}s_total") == stored(tmp_path, "count(*)")
    assert by_role(found, f"{UPSTREAM}_duration_seconds_count") == stored(tmp_path, "count(*)")
    assert by_role(found, f"{UPSTREAM}_errors_total") == stored(tmp_path, "sum(reason != '')")
    assert by_role(found, "understudy_cost_usd_total") == stored(tmp_path, "sum(cost_nano_usd)")
    assert by_role(found, "understudy_unpriced_calls_total") == stored(
        tmp_path, "sum(cost_nano_usd IS NULL)"
    )
    assert by_role(found, "understudy_tokens_total") == stored(
        tmp_path, "sum(coalesce(prompt_tokens, 0) + coalesce(completion_tokens, 0))"
    )
    assert by_role(found, f"{UPSTREAM}_time_to_first_token_seconds_count") == stored(
        tmp_path, "sum(first_token_latency IS NOT NULL)"
    )
    assert {name: one.offered for name, one in _silents(status).items()} == {
        name: total(found, "understudy_mirror_offered_total", silent_model=name)
        for name in ("silent", "ill")
    }
    for name, one in _silents(status).items():
        for family, counts in (
            ("outcomes", one.outcomes),
            ("shed", one.shed),
            ("not_mirrored", one.not_mirrored),
        ):
            metric = f"understudy_mirror_{family}_total"
            assert total(found, metric, silent_model=name) == sum(counts.values())
        assert total(found, "understudy_mirror_cap_usd", silent_model=name) == pytest.approx(
            one.cap_nano_usd / 1e9
        )
    assert total(found, "understudy_mirror_offered_total") == 32

    assert total(found, "understudy_requests_total") == 41
    assert total(found, "understudy_requests_total", group="well") == 16
    assert total(found, "understudy_request_errors_total", reason="MODEL_NOT_FOUND") == 20
    assert total(found, "understudy_requests_total", group=HOSTILE) == 1
    assert total(found, "understudy_deployment_circuits", group="well", state="CLOSED") == 1
    assert total(found, "understudy_ready") == 1
    assert total(found, "understudy_recorder_rows_written_total") > 0
    assert total(found, "understudy_loop_delay_seconds_count") > 0
    values = {value for _, labels in found for _, value in labels}
    assert not [one for one in values if "user" in one or "caller" in one]


def _silents(status: operations_pb2.GetStatusResponse) -> dict[str, Any]:
    return {one.silent_model: one for one in status.mirror.silent_models}


async def test_calls_are_counted_where_no_records_are_kept(tmp_path: Path) -> None:
    config_of = {"records": {"enabled": False}}
    async with FaultStub() as stub, local(configure(stub, tmp_path, **config_of)) as running:
        await ask(running, "well")
        deadline = time.monotonic() + 5
        while total(await scrape(running.service.metrics), f"{UPSTREAM}s_total") < 3:
            assert time.monotonic() < deadline
        found = await scrape(running.service.metrics)

    assert total(found, "understudy_requests_total", group="well") == 1
    assert "understudy_recorder_away" not in {name for name, _ in found}


async def test_a_service_without_metrics_has_no_listener(tmp_path: Path) -> None:
    async with (
        FaultStub() as stub,
        local(configure(stub, tmp_path, metrics={"enabled": False})) as running,
    ):
        await ask(running, "well")

        assert running.service.metrics == ""


async def test_a_stuck_loop_is_told_by_the_probes_and_a_scrape_still_answers(
    tmp_path: Path,
) -> None:
    async with FaultStub() as stub, local(configure(stub, tmp_path)) as running:
        url = running.service.metrics
        await ask(running, HOSTILE)
        well = await get(url, "/healthz"), await get(url, "/readyz")
        looking = asyncio.gather(
            *(asyncio.to_thread(_look_later, url, path) for path in ("/healthz", "/metrics"))
        )
        await asyncio.sleep(0)
        time.sleep(3.5)  # noqa: ASYNC251 - the loop is to be stuck
        health, metrics = await looking
        after = await get(url, "/healthz")

    assert [(one.status, one.body) for one in well] == [(200, "ok\n"), (200, "ready\n")]
    assert health.status == 503
    assert health.body.startswith("the event loop has been stuck for 3.")
    assert metrics.status == 200
    assert "understudy_upstream_calls_total" in metrics.body
    assert "understudy_ready 0.0" in metrics.body
    assert "understudy_requests_in_flight" not in metrics.body
    assert after.status == 200


def _look_later(url: str, path: str) -> Page:
    deadline = time.monotonic() + 3.4
    while time.monotonic() < deadline:
        page = fetch(url.removesuffix("/metrics") + path)
        if page.status != 200 or "understudy_ready 0.0" in page.body:
            return page
        time.sleep(0.02)
    raise AssertionError(f"{path} noticed nothing")


async def test_readiness_follows_a_start_and_a_drain(tmp_path: Path) -> None:
    drain = {"port": 0, "drain": {"delay": "1s", "grace": "5s"}}
    async with FaultStub() as stub, local(configure(stub, tmp_path, server=drain)) as running:
        url = running.service.metrics
        started = await get(url, "/readyz")
        draining = asyncio.create_task(running.service.drain())
        await eventually(lambda: running.service.is_draining)
        refused = await get(url, "/readyz")
        alive = await get(url, "/healthz")
        found = await scrape(url)
        await draining

    assert started.status == 200
    assert (refused.status, refused.body) == (503, "draining\n")
    assert alive.status == 200
    assert total(found, "understudy_ready") == 0


async def test_without_its_experiments_it_is_alive_and_not_ready(tmp_path: Path) -> None:
    away = {"url": "postgresql://nobody@127.0.0.1:9/none?connect_timeout=1"}
    async with FaultStub() as stub, local(configure(stub, tmp_path, store=away)) as running:
        ready = await get(running.service.metrics, "/readyz")
        alive = await get(running.service.metrics, "/healthz")

    assert ready.status == 503
    assert ready.body == "the experiments are not known yet: their store does not answer\n"
    assert alive.status == 200


async def test_a_port_that_is_taken_ends_the_start(tmp_path: Path) -> None:
    async with FaultStub() as stub, local(configure(stub, tmp_path / "one")) as first:
        port = int(first.service.metrics.rpartition(":")[2].removesuffix("/metrics"))
        config = configure(stub, tmp_path / "two", metrics={"port": port})
        with pytest.raises(ConfigError, match=r"understudy\.metrics\.port: cannot listen on"):
            async with running(parse(config, "test.yaml", {})):
                raise AssertionError


async def test_beyond_loopback_the_operator_is_told_who_can_read_it(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async with (
        FaultStub() as stub,
        local(configure(stub, tmp_path, metrics={"host": "0.0.0.0"})) as running,
    ):
        page = await get(running.service.metrics)

    assert page.status == 200
    assert running.service.metrics.startswith("http://127.0.0.1:")
    assert "everybody who can reach 0.0.0.0 may read the metrics" in caplog.text


async def test_the_ready_line_says_where_and_a_drained_process_ends_at_once(
    tmp_path: Path,
) -> None:
    async with FaultStub() as stub:
        with serving(configure(stub, tmp_path / "state"), tmp_path) as server:
            words = server.ready.split()
            url = next(one for one in words if one.startswith("metrics=")).removeprefix("metrics=")
            page = await get(url, accept="application/openmetrics-text; version=1.0.0")
            began = time.monotonic()
            code = await asyncio.to_thread(server.stop)

    assert [one.partition("=")[0] for one in words if "=" in one][:4] == [
        "grpc",
        "dashboard",
        "metrics",
        "auth",
    ]
    assert page.content_type.startswith("application/openmetrics-text; version=1.0.0")
    assert code == 0
    assert time.monotonic() - began < 5
