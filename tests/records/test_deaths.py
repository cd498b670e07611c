"""A process may die at any moment: what it had written is whole, and what it left open is lost."""

import json
import random
import subprocess
import sys
from collections import Counter

import pytest
from sqlalchemy import func, select, text

from understudy.server.records.instances import DIED
from understudy.server.records.schema import instances, offers, records

from ..stub.eventually import eventually_sync
from .stores import Store
from .victim import IN_FLIGHT


def die(store: Store, lines: int) -> int:
    """Run the victim, kill it after some lines, and return how many rows it knew to be written."""
    command = [sys.executable, "-m", "tests.records.victim", "kill", str(store.folder), store.url]
    written = 0
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as victim:
        assert victim.stdout is not None
        for _ in range(lines):
            written = json.loads(victim.stdout.readline())["written"]
        victim.kill()
    return written


def die_often(store: Store, times: int) -> None:
    rows = 0
    for _ in range(times):
        rows += die(store, random.randint(1, 5))
    with store.open() as opened, store.engine() as engine:

        def swept() -> int:
            with engine.connect() as connection:
                ended = instances.c.end_time.is_not(None)
                statement = select(func.count()).select_from(instances).where(ended)
                return connection.scalar(statement) or 0

        eventually_sync(lambda: swept() == times)
        with engine.connect() as connection:
            by_instance = Counter(
                connection.scalars(select(offers.c.instance_id).where(offers.c.reason == DIED))
            )
            offered = connection.scalar(select(func.count()).select_from(offers)) or 0
            kept = connection.scalar(select(func.count()).select_from(records)) or 0
            if engine.dialect.name == "sqlite":
                assert connection.scalar(text("PRAGMA integrity_check")) == "ok"
        counts = opened.reader.count_outcomes()["gpt-4"]

    assert kept + 2 * offered >= rows  # an offer is written again with its end
    assert counts.total() == offered
    assert "UNDER_WAY" not in counts
    assert counts["LOST"] == by_instance.total()
    assert max(by_instance.values(), default=0) <= IN_FLIGHT


def test_the_ledger_balances_after_kills(store: Store) -> None:
    die_often(store, 3)


@pytest.mark.proof
def test_the_ledger_balances_after_fifty_kills(store: Store) -> None:
    die_often(store, 50)


def test_what_others_on_this_host_have_under_way_is_not_lost(store: Store) -> None:
    command = [sys.executable, "-m", "tests.records.victim", "kill", str(store.folder), store.url]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as other:
        assert other.stdout is not None
        other.stdout.readline()
        with store.open() as opened:
            eventually_sync(lambda: not opened.recorder.figures.waiting)
            counts = opened.reader.count_outcomes()["gpt-4"]
        other.kill()

    assert "LOST" not in counts
    assert counts["UNDER_WAY"]
