"""The thread that answers callers is not pushed aside by others of its process."""

import os
import sys
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path

import pytest

from understudy import client

from .running import Demo


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere threads have no such policies")
def test_threads_that_carry_wait_for_the_one_that_answers(demo: Demo) -> None:
    with client.Client(demo.target) as service:

        def ask(number: int) -> object:
            said = [{"role": "user", "content": f"hi {number}"}]
            return service.completion(model="gpt-4", messages=said)

        with ThreadPoolExecutor(20) as pool:  # some threads begin only under load
            assert all(pool.map(ask, range(60)))

    process = demo.process.pid
    policies: dict[int, tuple[str, int]] = {}
    for thread in Path(f"/proc/{process}/task").iterdir():
        with suppress(OSError):  # it has ended meanwhile
            name = (thread / "comm").read_text().strip()
            policies[int(thread.name)] = name, os.sched_getscheduler(int(thread.name))

    assert policies.pop(process)[1] == os.SCHED_OTHER
    of_grpc = {policy for name, policy in policies.values() if name.startswith("event_engine")}
    assert of_grpc == {os.SCHED_BATCH}
    # Of Python's, gRPC's poller, the recorder and the mirror's two; a few begin later.
    ours = [policy for name, policy in policies.values() if name == "python"]
    assert ours.count(os.SCHED_BATCH) >= 4
