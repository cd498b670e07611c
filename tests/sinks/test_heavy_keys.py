"""A key that carries much of an experiment is named in the log, once, by its hash."""

import logging

import pytest

from understudy.server.domain.experiments import Assigned, AssignmentReason
from understudy.server.events import VariantChosen
from understudy.server.sinks.heavy_keys import MOST_TOLD, HeavyKeyLog

ENOUGH = 2_000


def choose(
    log: HeavyKeyLog, key_hash: str, times: int = ENOUGH, *, name: str = "x", epoch: int = 1
) -> None:
    assigned = Assigned(name, "a", AssignmentReason.STICKY, epoch, key_hash)
    for _ in range(times):
        log.note(VariantChosen("pair", 0.0, "a", assigned))


def warnings(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [one.getMessage() for one in caplog.records if one.levelno == logging.WARNING]


def test_a_heavy_key_is_warned_of_once(caplog: pytest.LogCaptureFixture) -> None:
    log = HeavyKeyLog()
    choose(log, "0123456789abcdef")
    choose(log, "0123456789abcdef")

    (told,) = warnings(caplog)
    assert told.startswith("experiment 'x': one key carries more than 10 % of its requests")
    assert "key_hash 0123456789abcdef" in told


def test_a_new_epoch_of_the_same_run_does_not_repeat_it(caplog: pytest.LogCaptureFixture) -> None:
    log = HeavyKeyLog()
    choose(log, "0123456789abcdef", epoch=1)
    choose(log, "0123456789abcdef", epoch=2)

    assert len(warnings(caplog)) == 1


def test_a_new_run_has_a_new_hash_and_is_counted_by_itself(
    caplog: pytest.LogCaptureFixture,
) -> None:
    log = HeavyKeyLog()
    choose(log, "old", 90_000, epoch=1)
    choose(log, "new", epoch=2)

    assert [one.partition("key_hash ")[2][:3] for one in warnings(caplog)] == ["old", "new"]


def test_experiments_are_counted_apart(caplog: pytest.LogCaptureFixture) -> None:
    log = HeavyKeyLog()
    for name in ("x", "y"):
        choose(log, "k", name=name)

    assert len(warnings(caplog)) == 2


def test_what_is_not_compared_is_not_counted(caplog: pytest.LogCaptureFixture) -> None:
    log = HeavyKeyLog()
    choose(log, "k", epoch=0)
    for _ in range(ENOUGH):
        log.note(VariantChosen("pair", 0.0, "gpt-4", None))

    assert not warnings(caplog)


def test_the_log_is_not_flooded(caplog: pytest.LogCaptureFixture) -> None:
    log = HeavyKeyLog()
    for number in range(MOST_TOLD + 20):
        choose(log, f"key-{number}", 1_001, epoch=number + 1)

    assert len(warnings(caplog)) == MOST_TOLD
