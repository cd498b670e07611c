"""The parent tells Prometheus of all workers together, and of those that died what they had."""

import asyncio
import os
import signal
import time
from pathlib import Path

import pytest

from ..service.asking import prompt
from ..service.running import Demo, serving
from ..service.scraping import get, scrape
from ..sinks.metrics.telling import Series, total
from ..stub.faultstub import FaultStub
from .crew import configure, connected, eventually_replaced, workers

pytestmark = pytest.mark.asyncio

CALLS = "understudy_upstream_calls_total"
REQUESTS = "understudy_requests_total"


def metrics_of(server: Demo) -> str:
    return next(
        one.removeprefix("metrics=") for one in server.ready.split() if one.startswith("metrics=")
    )


async def scrape_until(url: str, name: str, value: float) -> Series:
    """Return the first scrape in which a sum is what it should be."""
    deadline = time.monotonic() + 10
    while total(found := await scrape(url), name) != value:
        assert time.monotonic() < deadline, f"{name} is {total(found, name)}, not {value}"
    return found


def counters(found: Series) -> Series:
    endings = ("_total", "_count", "_bucket", "_sum")
    return {key: value for key, value in found.items() if key[0].endswith(endings)}


async def test_workers_are_added_up_and_one_that_is_killed_takes_no_count_with_it(
    tmp_path: Path,
) -> None:
    async with FaultStub() as stub:
        with serving(configure(stub, tmp_path), tmp_path) as server:
            url = metrics_of(server)
            async with connected(server) as lines:
                for line in lines:
                    for _ in range(5):
                        await line.completions.CreateCompletion(prompt("a"))
            asked = 5 * len(lines)
            before = await scrape_until(url, CALLS, 2 * asked)
            gone = workers(server)[0]
            os.kill(gone, signal.SIGKILL)
            after = [await scrape(url) for _ in range(3)]
            await eventually_replaced(server, gone)
            async with connected(server) as lines:
                for line in lines:
                    await line.completions.CreateCompletion(prompt("a"))
            asked += len(lines)
            whole = await scrape_until(url, REQUESTS, asked)
            ready = await get(url, "/readyz")

    assert total(before, "understudy_serving_processes") == 2
    assert total(before, "understudy_workers_wanted") == 2
    assert total(before, "understudy_mirror_offered_total", silent_model="b") == asked - len(lines)
    seen = counters(before)
    for found in (*after, whole):
        assert {key for key in seen if found.get(key, -1.0) < seen[key]} == set()
        seen = counters(found)
    assert total(whole, "understudy_mirror_offered_total", silent_model="b") == asked
    assert total(whole, "understudy_request_duration_seconds_count", group="a") == asked
    assert total(whole, "understudy_serving_processes") == 2
    assert total(whole, "understudy_mirror_cap_usd") == pytest.approx(100)
    assert ready.status == 200


async def test_a_worker_that_hangs_holds_up_no_scrape_and_the_probe_sees_the_end(
    tmp_path: Path,
) -> None:
    async with FaultStub() as stub:
        with serving(configure(stub, tmp_path), tmp_path) as server:
            url = metrics_of(server)
            hung = workers(server)[0]
            os.kill(hung, signal.SIGSTOP)
            began = time.monotonic()
            page = await get(url)
            took = time.monotonic() - began
            os.kill(hung, signal.SIGCONT)
            server.process.send_signal(signal.SIGTERM)
            statuses = [(await get(url, "/readyz")).body]
            while statuses[-1] != "draining\n" and len(statuses) < 50:
                await asyncio.sleep(0.01)
                statuses.append((await get(url, "/readyz")).body)
            code = await asyncio.to_thread(server.process.wait, 20)

    assert page.status == 200
    assert took < 3
    assert statuses[-1] == "draining\n"
    assert code == 0
