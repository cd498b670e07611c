"""Whose offers are lost: those of a process that is known to be gone, and of nobody else."""

import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from sqlalchemy import insert

from understudy.server.database.engine import writing
from understudy.server.database.migrating import migrate
from understudy.server.domain.mirroring import Outcome
from understudy.server.records.batch import Batch, OfferRow
from understudy.server.records.instances import STALE, Instance, announce, retire, sweep
from understudy.server.records.processes import Process
from understudy.server.records.reading import Reader
from understudy.server.records.schema import MIGRATIONS, offers
from understudy.server.records.writing import write

from .stores import Store

NOW = 1_800_000_000_000_000


@pytest.mark.parametrize(
    ("other", "silence", "lost"),
    [
        (Process.own(), 10 * STALE, 0),  # it lives, whatever it says
        (replace(Process.own(), started="long ago"), 0, 1),  # its number belongs to another now
        (replace(Process.own(), pid=2**22 + 1), 0, 1),  # there is no such process
        (replace(Process.own(), host="elsewhere", pid=1), STALE - 1, 0),
        (replace(Process.own(), host="elsewhere", pid=1), STALE, 1),
    ],
)
def test_the_dead_are_told_from_the_living(
    other: Process, silence: int, lost: int, store: Store
) -> None:
    own, its = Instance("own", Process.own()), Instance("its", other)
    with store.engine() as engine:
        migrate(engine, MIGRATIONS)
        with writing(engine) as connection:
            announce(connection, its, NOW - silence)
            announce(connection, own, NOW)
            connection.execute(insert(offers), [offer("1", own.id), offer("2", its.id)])
        with writing(engine) as connection:
            assert sweep(connection, own, NOW) == lost
            assert sweep(connection, own, NOW) == 0


def test_one_that_was_thought_dead_may_come_back(store: Store) -> None:
    own = Instance("own", Process.own())
    slow = Instance("its", replace(Process.own(), host="elsewhere"))
    with store.engine() as engine:
        migrate(engine, MIGRATIONS)
        with writing(engine) as connection:
            announce(connection, slow, NOW - STALE)
            assert sweep(connection, own, NOW) == 0
            announce(connection, slow, NOW)
            connection.execute(insert(offers), [offer("1", slow.id)])
            assert sweep(connection, own, NOW + 1) == 0
            assert retire(connection, slow, NOW) == 1


def test_a_process_is_known_to_be_gone_once_it_is() -> None:
    child = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    ticks = Path(f"/proc/{child.pid}/stat").read_text().rpartition(")")[2].split()[19]
    process = replace(Process.own(), pid=child.pid, started=ticks)

    assert process.is_alive_here()
    child.kill()
    os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)
    assert not process.is_alive_here()  # dead, though nobody has buried it
    child.communicate()
    assert not process.is_alive_here()


def offer(pair_id: str, instance_id: str) -> dict[str, object]:
    return {
        "pair_id": pair_id,
        "silent_model": "gpt-4",
        "instance_id": instance_id,
        "start_time": NOW,
        "outcome": None,
        "reason": "",
        "caller": "",
        "experiment": "",
        "variant": "",
        "model_group": "",
    }


def test_an_end_that_others_took_for_lost_may_still_come(store: Store) -> None:
    with store.engine() as engine:
        migrate(engine, MIGRATIONS)
        for outcome in (None, Outcome.LOST, Outcome.FAILED, Outcome.SHED):
            batch = Batch()
            batch.add_offer(
                OfferRow(pair_id="p", silent_model="gpt-4", start_time=NOW, outcome=outcome)
            )
            assert write(engine, batch, "own") == 0

        assert Reader(engine).count_outcomes() == {"gpt-4": {"FAILED": 1}}
