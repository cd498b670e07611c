"""A Router takes feedback as the service does, with the same errors."""

import asyncio
import sqlite3
from pathlib import Path

import pytest

from understudy import client
from understudy.server import Router

from ..service.configs import deployment
from ..stub.faultstub import FaultStub
from .asking import HI, make_router


def stored(folder: Path) -> list[tuple[object, ...]]:
    """What is in the store, after the Router has closed."""
    with sqlite3.connect(folder / "records.db") as connection:
        return connection.execute(
            "SELECT pair_id, metric, kind, number, text, experiment FROM feedback ORDER BY metric"
        ).fetchall()


def test_feedback_is_kept_with_the_call(stub: FaultStub, tmp_path: Path) -> None:
    groups = [deployment(stub, "ok", "ok")]
    with Router(groups, understudy={"state_dir": str(tmp_path)}) as router:
        answer = router.completion("ok", HI)
        pieces = list(router.completion("ok", HI, stream=True))
        assert router.feedback(answer, "a", True, feedback_id="mine") == "mine"
        assert router.feedback(answer, "a", True, feedback_id="mine") == "mine"
        asyncio.run(router.afeedback(pieces[0], "b", "well said"))
        with pytest.raises(client.AlreadyExists):
            router.feedback(answer, "a", False, feedback_id="mine")
        with pytest.raises(client.NotFound):
            router.feedback("f" * 32, "a", True)
        with pytest.raises(client.InvalidArgument):
            asyncio.run(router.afeedback(answer, "no label", 1))
        with pytest.raises(ValueError, match="only the first piece has one"):
            router.feedback(pieces[-1], "a", True)

    first, second = answer.routing.pair_id, pieces[0].routing.pair_id
    assert stored(tmp_path) == [
        (first, "a", "BOOLEAN", 1.0, None, ""),
        (second, "b", "TEXT", None, "well said", ""),
    ]


def test_without_records_there_is_no_feedback(stub: FaultStub) -> None:
    with make_router(stub, "ok") as router:
        answer = router.completion("ok", HI)
        with pytest.raises(client.Unimplemented, match=r"understudy\.records\.enabled"):
            router.feedback(answer, "helpful", True)
