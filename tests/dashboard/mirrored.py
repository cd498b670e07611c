"""A service whose calls are played to silent models, and calls to it."""

import re
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from understudy import client

from ..service.configs import deployment, write
from ..service.running import serving
from ..stub.faultstub import FaultStub
from ..stub.runners import stub_thread
from .house import Standing

GROUP = "gpt-3.5-turbo"
SILENT = "gpt-4"
BROKEN = "broken"


@contextmanager
def mirrored(
    folder: Path, silent: str = "words-9+slow-5ms", **understudy: Any
) -> Generator[Standing]:
    """Run a service with a group, its silent model, and a group that always fails."""
    with stub_thread(FaultStub()) as stub:
        config = write(
            deployment(stub, GROUP, "words-7", silent_model=SILENT),
            deployment(stub, SILENT, silent),
            deployment(stub, BROKEN, "status-500"),
            deployment(stub, "echo", "echo", silent_model=SILENT),
            router_settings={"num_retries": 1},
            understudy={
                "server": {"port": 0},
                "dashboard": {"port": 0},
                "state_dir": str(folder / "state"),
                "records": {"capture": "content", "flush": "100ms"},
                **understudy,
            },
        )
        with serving(config, folder) as running:
            found = re.search(r"dashboard=(\S+)", running.ready)
            assert found is not None, running.ready
            yield Standing(stub, running.target, found[1], running.log, running.process.pid)


def call(house: Standing, count: int, *, api_key: str | None = None, **asked: Any) -> None:
    """Ask some times, whatever comes of it."""
    with client.Client(house.target, api_key=api_key) as caller:
        for number in range(count):
            given: dict[str, Any] = {
                "model": GROUP,
                "messages": [{"role": "user", "content": f"question {number}"}],
                "metadata": {"team": ("search", "ads")[number % 2]},
                **asked,
            }
            try:
                caller.completion(**given)
            except client.UnderstudyError:
                assert given["model"] == BROKEN
