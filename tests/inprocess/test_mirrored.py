"""Silent models are played what a Router's callers say, beside them and after they have gone."""

import asyncio
import sqlite3
import threading
import time
from collections.abc import Generator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from understudy.server import Router

from ..service.configs import deployment
from ..stub.eventually import eventually_sync
from ..stub.faultstub import FaultStub
from ..stub.runners import stub_thread
from .asking import WAYS, Way, ask, ask_async, run_script


@pytest.fixture
def silent() -> Generator[FaultStub]:
    """Where the silent model is; `stub` is the primary's."""
    with stub_thread(FaultStub()) as running:
        yield running


def make_mirrored(stub: FaultStub, silent: FaultStub, mode: str, **understudy: Any) -> Router:
    """A Router whose primary plays everything to a silent model, which does what the mode says."""
    return Router(
        [deployment(stub, "primary", silent_model="silent"), deployment(silent, "silent", mode)],
        understudy=understudy,
    )


@pytest.mark.parametrize("way", WAYS)
def test_every_way_of_asking_is_played_to_the_silent_model(
    stub: FaultStub, silent: FaultStub, way: Way
) -> None:
    with make_mirrored(stub, silent, "words-9") as router:
        assert ask(router, way, "primary") == "Hello from ok."
        eventually_sync(lambda: silent.count == 1)

    assert stub.count == silent.count == 1


def test_closing_lets_silent_answers_come_and_writes_them_down(
    stub: FaultStub, silent: FaultStub, tmp_path: Path
) -> None:
    with make_mirrored(stub, silent, "slow-500ms", state_dir=str(tmp_path)) as router:
        ask(router, "sync", "primary")

    assert silent.requests[0].answered is not None
    assert "PAIRED" in outcomes(tmp_path)


@pytest.mark.parametrize("mode", ["hang-headers", "hang-body", "status-500", "reset", "huge"])
def test_a_silent_model_that_fails_harms_nobody(
    stub: FaultStub, silent: FaultStub, mode: str
) -> None:
    with make_mirrored(stub, silent, mode, server={"drain": {"grace": "100ms"}}) as router:
        for way in WAYS:
            began = time.monotonic()
            assert ask(router, way, "primary") == "Hello from ok."
            assert time.monotonic() - began < 2
        closing = time.monotonic()

    assert time.monotonic() - closing < 2


def test_threads_stay_as_they_are_with_hundreds_of_silent_calls_in_flight(
    stub: FaultStub, silent: FaultStub
) -> None:
    room = {"max_in_flight": 1000, "max_in_flight_per_model": 1000, "start": "with_primary"}
    quick = {"server": {"drain": {"grace": "100ms"}}, "records": {"enabled": False}}

    async def ask_many() -> None:
        await asyncio.gather(*(ask_async(router, "async", "primary") for _ in range(200)))

    with make_mirrored(stub, silent, "hang-headers", mirror=room, **quick) as router:
        ask(router, "sync", "primary")
        before = threading.active_count()
        asyncio.run(ask_many())
        with ThreadPoolExecutor(20) as pool:
            calls = [pool.submit(ask, router, "sync", "primary") for _ in range(200)]
            assert {call.result() for call in calls} == {"Hello from ok."}
        eventually_sync(lambda: silent.count == 401)

        assert threading.active_count() <= before
        assert silent.open_connections == 401


EXIT = """
from understudy.server import Router
def group(name, model, url, **params):
    return {{"model_name": name, "litellm_params": {{
        "model": model, "api_base": url, "api_key": "sk-test", **params}}}}
router = Router(
    [group("primary", "openai/ok", "{stub}/v1", silent_model="silent"),
     group("silent", "openai/{mode}", "{silent}/v1")],
    understudy={{"server": {{"drain": {{"grace": "{grace}"}}}}, "state_dir": "{folder}"}},
)
answer = router.completion("primary", [{{"role": "user", "content": "hi"}}])
print(answer.choices[0].message.content)
"""


def run_and_exit(
    stub: FaultStub, silent: FaultStub, folder: Path, mode: str, grace: str, then: str = ""
) -> float:
    """Run a script that ends after its first answer; return the seconds it took."""
    text = EXIT.format(stub=stub.url, silent=silent.url, folder=folder, mode=mode, grace=grace)
    began = time.monotonic()
    ran = run_script(text + then)
    assert (ran.returncode, ran.stdout, ran.stderr) == (0, "Hello from ok.\n", "")
    return time.monotonic() - began


def outcomes(folder: Path) -> str:
    """All that the store holds, as text."""
    (database,) = folder.rglob("*.db")
    with sqlite3.connect(database) as store:
        found = store.execute("select name from sqlite_master where type = 'table'").fetchall()
        text = str([store.execute(f"select * from {name}").fetchall() for (name,) in found])
    store.close()
    return text


def test_a_script_that_ends_waits_for_its_silent_answers(
    stub: FaultStub, silent: FaultStub, tmp_path: Path
) -> None:
    took = run_and_exit(stub, silent, tmp_path, "slow-1000ms", "10s")

    assert silent.requests[0].answered is not None
    assert took < 8
    assert "PAIRED" in outcomes(tmp_path)


def test_a_script_that_ends_waits_no_longer_than_the_grace(
    stub: FaultStub, silent: FaultStub, tmp_path: Path
) -> None:
    took = run_and_exit(stub, silent, tmp_path, "hang-headers", "200ms")

    assert took < 5
    assert "STOPPING" in outcomes(tmp_path)


@pytest.mark.parametrize("leave", ["os._exit(0)", "sys.exit(0)"])
def test_a_fork_beside_silent_calls_harms_neither_process(
    stub: FaultStub, silent: FaultStub, tmp_path: Path, leave: str
) -> None:
    run_and_exit(
        stub,
        silent,
        tmp_path,
        "slow-300ms",
        "10s",
        f"""
import os, sys
sys.stdout.flush()  # or the child would write it again
child = os.fork()
if not child:
    {leave}
assert os.waitpid(child, 0)[1] == 0
""",
    )

    assert "PAIRED" in outcomes(tmp_path)
