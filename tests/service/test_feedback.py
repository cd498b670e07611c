"""Feedback over the wire, on answers that were just given, and by whichever worker is asked."""

import asyncio
from pathlib import Path

import pytest

from understudy.client import AsyncClient, Client, InvalidArgument, PermissionDenied
from understudy.client.parameters import MessageInput

from ..dashboard.house import KEYS, with_keys
from ..stub.faultstub import FaultStub
from ..stub.runners import stub_thread
from ..workers.crew import configure
from .running import Demo, serving

HI: list[MessageInput] = [{"role": "user", "content": "hi"}]


async def judge(server: Demo, count: int) -> None:
    """Judge answers as soon as they are there, and see all of it counted."""
    async with AsyncClient(server.target) as one:
        answers = await asyncio.gather(*(one.completion("a", HI) for _ in range(count)))
        pieces = [piece async for piece in one.completion("a", HI, stream=True)]
        await asyncio.gather(
            *(one.feedback(answer, "helpful", True) for answer in answers),
            *(one.feedback(answer, "s", 0.5, silent_model="b") for answer in answers),
            one.feedback(pieces[0], "helpful", False),
        )
        seen = 0
        async with asyncio.timeout(15):
            while seen <= 2 * count:
                found = [record async for record in one.records("has_feedback = true")]
                seen = sum(len(record.feedback) for record in found)


@pytest.mark.asyncio
@pytest.mark.parametrize("workers", [1, 2])
async def test_an_answer_is_judged_at_once(tmp_path: Path, workers: int) -> None:
    with (
        stub_thread(FaultStub()) as stub,
        serving(configure(stub, tmp_path, workers=workers), tmp_path) as server,
    ):
        await judge(server, 20)


def test_a_caller_may_judge_but_not_look(tmp_path: Path) -> None:
    with stub_thread(FaultStub()) as stub:
        config = configure(stub, tmp_path, server=with_keys())
        with (
            serving(config, tmp_path) as server,
            Client(server.target, api_key=KEYS["caller"]) as one,
        ):
            answer = one.completion("a", HI)
            assert one.feedback(answer, "helpful", True, feedback_id="mine") == "mine"
            with pytest.raises(InvalidArgument, match="metric"):
                one.feedback(answer, "", True)
            with pytest.raises(PermissionDenied):
                next(one.records())
