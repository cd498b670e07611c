"""Ids of pairs are never given twice, and sort by time."""

import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from understudy.server.pair_ids import new_pair_id


def test_ids_of_many_threads_are_all_different() -> None:
    def make(_: int) -> list[str]:
        return [new_pair_id() for _ in range(5_000)]

    with ThreadPoolExecutor(4) as pool:
        made = [one for some in pool.map(make, range(4)) for one in some]

    assert len(set(made)) == len(made) == 20_000
    assert all(len(one) == 32 and int(one, 16) for one in made)


def test_later_ids_sort_behind_earlier_ones() -> None:
    first = new_pair_id()
    time.sleep(0.002)

    assert new_pair_id() > first
    assert abs(int(first[:12], 16) - time.time() * 1000) < 60_000


_FORKING = """
import os
from understudy.server.pair_ids import new_pair_id
new_pair_id()
if os.fork() == 0:
    print("child", *(new_pair_id()[12:] for _ in range(300)), flush=True)
    os._exit(0)
os.wait()
print("parent", *(new_pair_id()[12:] for _ in range(300)))
"""


@pytest.mark.skipif(sys.platform == "win32", reason="no process is forked there")
def test_a_forked_process_makes_ids_of_its_own() -> None:
    ran = subprocess.run(
        [sys.executable, "-c", _FORKING], capture_output=True, text=True, check=True
    )

    lines = {words[0]: set(words[1:]) for words in map(str.split, ran.stdout.splitlines())}
    assert len(lines["child"]) == len(lines["parent"]) == 300
    assert not lines["child"] & lines["parent"]
