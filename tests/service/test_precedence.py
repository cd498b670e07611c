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
def test_all_threads_but_the_one_that_answers_wait_for_their_turn(demo: Demo) -> None:
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
    assert policies
    assert {one for one in policies.values() if one[1] != os.SCHED_BATCH} == set()
