"""What silent models may cost is agreed on in the store, whoever else takes of it or has died."""

import json
import subprocess
import sys
import threading
import time
from functools import partial

import pytest
from sqlalchemy import select, text, update

from understudy.server.config.settings import RetentionSettings
from understudy.server.database.engine import open_engine
from understudy.server.domain.spending import Lease, Spending, Window
from understudy.server.errors import Reason, RefusedError
from understudy.server.mirror.leasing import Account
from understudy.server.records.instances import Instance
from understudy.server.records.leases import Leases
from understudy.server.records.processes import Process
from understudy.server.records.schema import instances, spend_leases

from ..stub.eventually import eventually_sync
from .stores import Store

HOUR = 3_600_000_000
WINDOW = Window.at(time.time_ns() // 1000, HOUR)
CAP = 200

# Takes what it can of the cap, in small steps, and tells of each call that it pays for.
SPENDER = """
import sys, time
from pathlib import Path
from tests.records.stores import Store
from tests.records.test_leases import pay_until_empty

def tell():
    print(1, flush=True)
    time.sleep(0.005)  # the call

store = Store(Path(sys.argv[1]), sys.argv[2])
with store.open() as records:
    pay_until_empty(records.leases, 1, tell)
"""


def lease(name: str = "a", *, spent: int = 0, granted: int = 0, overshoot: int = 0) -> Lease:
    """A lease of this hour."""
    return Lease(name, "silent", WINDOW, granted, spent, overshoot)


def grant(amount: int, others: Spending) -> int:
    """Grant an amount, whatever others have."""
    return amount


def pay_until_empty(leases: Leases, cost: int, tell: object, *, name: str = "") -> int:
    """Pay for calls as a process does, one after the other, until there is no more money."""
    one = Account(f"{name}{time.time_ns()}-{id(leases)}", "silent", WINDOW, CAP)
    paid = 0
    while True:
        now = time.monotonic()
        if one.reserve(cost, now):
            assert callable(tell)
            tell()
            one.settle(cost, cost)
            paid += 1
            continue
        ask = one.find_ask(now)
        if ask is None:
            return paid
        granted, others = leases.hold(ask.lease, ask.decide)
        one.take(ask, granted, others, now, 0)


def test_what_others_hold_and_have_spent_is_told_to_whoever_takes(store: Store) -> None:
    with store.open() as first, store.open() as second:
        assert first.leases.hold(lease("a"), partial(grant, 30)) == (30, Spending())
        first.leases.hold(lease("a", spent=10, granted=30, overshoot=2), partial(grant, 40))

        granted, others = second.leases.hold(lease("b"), lambda others: 100 - others.taken)

    assert (granted, others) == (60, Spending(spent=10, leased=30, overshoot=2))


def test_other_models_and_windows_are_other_caps(store: Store) -> None:
    later = Window(WINDOW.end, WINDOW.end + HOUR)
    with store.open() as records:
        records.leases.hold(lease("a"), partial(grant, 30))
        for other in (Lease("b", "other", WINDOW, 0, 0, 0), Lease("c", "silent", later, 0, 0, 0)):
            assert records.leases.hold(other, partial(grant, 7)) == (7, Spending())

        assert records.leases.look(WINDOW) == {
            "silent": Spending(leased=30),
            "other": Spending(leased=7),
        }
        assert records.leases.look(later) == {"silent": Spending(leased=7)}


def test_a_lease_that_ended_counts_what_was_spent_and_may_be_opened_again(store: Store) -> None:
    with store.open() as records:
        records.leases.hold(lease("a"), partial(grant, 30))
        records.leases.end(lease("a", spent=10, granted=30))
        assert records.leases.look(WINDOW) == {"silent": Spending(spent=10)}

        records.leases.end(lease("b", spent=5))
        assert records.leases.look(WINDOW) == {"silent": Spending(spent=15)}

        records.leases.hold(lease("a", spent=10), partial(grant, 20))
        assert records.leases.look(WINDOW) == {"silent": Spending(spent=15, leased=10)}


def test_an_open_lease_of_a_process_that_ended_is_lost_whole(store: Store) -> None:
    with store.open() as records:
        records.leases.hold(lease("a", spent=10), partial(grant, 30))
    with store.engine() as engine, store.open() as records:
        with engine.connect() as connection:
            assert connection.scalar(select(instances.c.end_time)) is not None

        assert records.leases.look(WINDOW)["silent"] == Spending(spent=10, lost=20)
        _, others = records.leases.hold(lease("b"), partial(grant, 0))
        assert others.taken == 30


def test_threads_of_two_processes_never_take_more_than_there_is(store: Store) -> None:
    """Each lease is decided by what all others have, and by one at a time."""
    paid: list[int] = []
    with store.open() as first, store.open() as second:

        def pay(leases: Leases, name: str) -> None:
            paid.append(pay_until_empty(leases, 1, lambda: None, name=name))

        threads = [
            threading.Thread(target=pay, args=(one.leases, f"{number}-{index}-"))
            for number in range(3)
            for index, one in enumerate((first, second))
        ]
        for one in threads:
            one.start()
        for one in threads:
            one.join()
        taken = first.leases.look(WINDOW)["silent"].taken

    assert (sum(paid), taken) == (CAP, CAP)


def spend_and_kill(store: Store, times: int) -> None:
    """Let processes spend together and be killed at it; at last, spend the rest."""
    command = [sys.executable, "-c", SPENDER, str(store.folder), store.url]
    paid = 0
    for _ in range(times):
        spenders = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(2)]
        first = spenders[0]
        assert first.stdout is not None
        paid += first.stdout.readline().count("1")
        for one in spenders:
            one.kill()
        for one in spenders:
            assert one.stdout is not None
            with one:
                paid += one.stdout.read().count("1")
    with store.open() as records:
        paid += pay_until_empty(records.leases, 1, lambda: None)

        def is_swept() -> bool:
            return not records.leases.look(WINDOW)["silent"].leased

        eventually_sync(is_swept, within=5)
        found = records.leases.look(WINDOW)["silent"]

    print(f"paid {paid} of {CAP}; {found}")
    assert paid <= found.taken == CAP
    assert found.lost or paid == CAP


def test_processes_that_are_killed_never_spend_more_together(store: Store) -> None:
    spend_and_kill(store, 1)


@pytest.mark.proof
def test_processes_that_are_killed_often_never_spend_more_together(store: Store) -> None:
    for _ in range(10):
        spend_and_kill(store, 5)
        with store.engine() as engine, engine.begin() as connection:
            connection.execute(text("DELETE FROM spend_leases"))


def test_a_store_that_is_away_is_told_as_such(sqlite_store: Store) -> None:
    sqlite_store.folder.mkdir(parents=True)
    engine = open_engine(None, sqlite_store.file, "understudy.records.url")
    leases = Leases(engine, Instance("instance", Process.own()), lambda: 0)
    for ask in (
        partial(leases.hold, lease(), partial(grant, 1)),
        partial(leases.end, lease()),
        partial(leases.look, WINDOW),
    ):
        with pytest.raises(RefusedError, match="no such table") as raised:
            ask()
        assert raised.value.reason is Reason.STORE_UNAVAILABLE
    engine.dispose()


def test_leases_are_kept_until_their_window_has_long_been_over(store: Store) -> None:
    retention = RetentionSettings(metadata=0.5, content=0.5)
    with store.open(store.settings(retention=retention)) as records:
        for name in ("over", "running"):
            records.leases.hold(lease(name), partial(grant, 1))
    with store.engine() as engine:
        with engine.begin() as connection:
            old = spend_leases.c.id == "over"
            times = {"window_start": 0, "window_end": HOUR}
            connection.execute(update(spend_leases).where(old).values(times))

        def kept() -> list[str]:
            with engine.connect() as connection:
                return list(connection.scalars(select(spend_leases.c.id)))

        with store.open(store.settings(retention=retention)):
            eventually_sync(lambda: kept() == ["running"], within=5)


def test_sums_are_whole_numbers_however_large(store: Store) -> None:
    dear = 10**15
    with store.open() as records:
        records.leases.hold(lease("a", spent=dear, granted=2 * dear), partial(grant, 2 * dear))
        found = records.leases.look(WINDOW)["silent"]

    assert json.dumps([found.spent, found.leased]) == f"[{dear}, {dear}]"
