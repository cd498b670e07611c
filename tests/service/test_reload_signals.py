"""Who asks for the file to be read again, how often, and when: SIGHUP, at any time."""

import json
import os
import signal
import threading
from pathlib import Path
from typing import Any

import pytest

from understudy.server.config import parse
from understudy.server.reloading import Reloads

from ..stub.eventually import eventually, eventually_sync
from .configs import write
from .reloading import simulated
from .running import serving

OLD = simulated("g")


@pytest.mark.asyncio
async def test_readings_asked_for_during_one_are_one_more() -> None:
    config = parse(write(OLD), "c.yaml", {})
    may_go, readings = threading.Semaphore(0), 0

    def read() -> Any:
        nonlocal readings
        readings += 1
        may_go.acquire()
        return config

    async def use(_: object) -> bool:
        return False

    reloads = Reloads(config, read, lambda: 1.0)
    reloads.ask()  # before anybody listens
    async with reloads.answering(use):
        await eventually(lambda: readings == 1)
        for _ in range(5):
            reloads.ask()
        may_go.release()
        await eventually(lambda: readings == 2)
        may_go.release(2)
        reloads.ask()
        await eventually(lambda: readings == 3)

    assert readings == 3


@pytest.mark.asyncio
async def test_an_error_of_our_own_ends_a_reading_and_nothing_else() -> None:
    config = parse(write(OLD), "c.yaml", {})

    def read() -> Any:
        raise RuntimeError("sk-canary")

    async def use(_: object) -> bool:
        return False

    reloads = Reloads(config, read, lambda: 1.0)
    await reloads.reload(use)

    assert reloads.error == "an error of the server's own: RuntimeError"


def messages(log: list[str]) -> list[str]:
    return [str(json.loads(line)["message"]) for line in log if line.startswith("{")]


def test_the_signal_has_the_file_read_again(tmp_path: Path) -> None:
    path = tmp_path / "config.yaml"
    with serving(write(simulated("g")), tmp_path) as server:
        path.write_text(write(simulated("g"), simulated("new")))
        server.process.send_signal(signal.SIGHUP)
        eventually_sync(
            lambda: [one for one in messages(server.log) if "1 model group added ('new')" in one],
            within=10,
        )
        path.write_text("model_list: 1")
        server.process.send_signal(signal.SIGHUP)
        why = "the configuration is not reloaded: config.yaml:1: model_list: must be a list"
        eventually_sync(
            lambda: [one for one in messages(server.log) if one.startswith(why)], within=10
        )

        assert server.stop() == 0


def test_a_signal_that_comes_too_early_is_remembered(tmp_path: Path) -> None:
    """It comes as soon as it is not fatal, which is long before anything can be asked."""
    told: list[str] = []

    def hurry(pid: int) -> None:
        status = Path(f"/proc/{pid}/status")
        bit = 1 << (signal.SIGHUP - 1)

        def is_minded() -> bool:
            masks = dict(
                line.split(":\t") for line in status.read_text().splitlines() if ":\t" in line
            )
            return bool((int(masks["SigIgn"], 16) | int(masks["SigCgt"], 16)) & bit)

        eventually_sync(is_minded, within=20)
        for _ in range(3):
            os.kill(pid, signal.SIGHUP)
        told.append("sent")

    with serving(write(simulated("g")), tmp_path, begun=hurry) as server:
        assert told == ["sent"]
        assert server.stop() == 0
