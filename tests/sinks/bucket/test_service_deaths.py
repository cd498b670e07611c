"""A service that is killed leaves nothing out of its bucket, and nothing twice.

What tells and what keeps records die together here; of what is told alone, see `test_deaths`.
"""

import asyncio
import json
import random
import sqlite3
from collections.abc import Callable
from contextlib import closing, suppress
from pathlib import Path

import grpc
import pytest

from understudy.server.records.opening import FILE
from understudy.v1 import completion_pb2_grpc

from ...service.asking import prompt
from ...service.running import Demo, serving
from ...stub.eventually import eventually_sync
from . import s3
from .detour import Detour

AT_ONCE = 8  # callers
KILLS = [2, pytest.param(20, marks=pytest.mark.proof)]


def config(state: Path, bucket: s3.Bucket, way: Detour) -> str:
    """A silent model for each call; each record kept in a store, and for the bucket."""
    return json.dumps(
        {
            "model_list": [
                _deployment("primary", silent_model="silent"),
                _deployment("silent"),
            ],
            "understudy": {
                "server": {"drain": {"delay": 0, "grace": 5}},
                "dashboard": {"enabled": False},
                "metrics": {"enabled": False},
                "state_dir": str(state),
                "sinks": {
                    "bucket": {
                        "url": f"s3://{bucket.name}/calls",
                        "endpoint": way.endpoint,
                        "region": "us-east-1",
                        "access_key_id": s3.KEY_ID,
                        "secret_access_key": s3.KEY,
                        "every": 0.2,
                    }
                },
            },
        }
    )


def _deployment(name: str, **params: str) -> dict[str, object]:
    quick = {"latency": 0, "tokens_per_second": 1e6, "reply": "yes"}
    given = {"model": f"simulated/{name}", "simulated": quick, **params}
    return {"model_name": name, "litellm_params": given}


async def ask(one: Demo, answers: int, then: Callable[[], None]) -> None:
    """Ask, several at a time, until the service is gone; `then` is due after so many answers."""
    answered = 0
    options = [("grpc.use_local_subchannel_pool", 1)]
    async with grpc.aio.insecure_channel(one.target, options=options) as channel:
        stub = completion_pb2_grpc.CompletionServiceStub(channel)

        async def keep_asking() -> None:
            nonlocal answered
            while answered < answers:
                await stub.CreateCompletion(prompt("primary"))
                answered += 1
                if answered == answers:
                    then()

        async def until_gone() -> None:
            with suppress(grpc.aio.AioRpcError):
                await keep_asking()

        await asyncio.gather(*(until_gone() for _ in range(AT_ONCE)))


def recorded(state: Path) -> set[str]:
    """Return the ids of all records in the store."""
    with closing(sqlite3.connect(state / FILE)) as connection:
        return {str(id) for (id,) in connection.execute("SELECT id FROM records")}


def left(state: Path) -> list[Path]:
    """Return what waits on disk to be brought to the bucket."""
    return [one for one in state.rglob("*") if one.suffix in (".open", ".jsonl", ".part")]


@pytest.mark.parametrize("kills", KILLS)
def test_each_record_is_in_the_bucket_once_however_often_the_service_is_killed(
    kills: int,
    tmp_path: Path,
    state: Path,
    bucket: s3.Bucket,
    way: Detour,
    record_property: Callable[[str, object], None],
    capsys: pytest.CaptureFixture[str],
) -> None:
    text = config(state, bucket, way)
    for turn in range(kills):
        way.status = 503 if turn % 3 == 1 else 0
        way.loses_answers = turn % 3 == 2
        with serving(text, tmp_path) as one:
            asyncio.run(ask(one, random.randint(500, 4_000), one.process.kill))
    way.status, way.loses_answers = 0, False
    with serving(text, tmp_path) as last:
        asyncio.run(ask(last, 20, lambda: None))
        # What the killed have left is taken over, and what they were writing is cut off.
        eventually_sync(lambda: len(left(state)) <= 1, within=60)
        assert last.stop() == 0
    assert left(state) == []

    found, kept = bucket.ids(), recorded(state)
    told = f"{kills} kills: {len(found)} records in the bucket, {len(kept)} of them in the store"
    record_property("killed services", told)
    with capsys.disabled():
        print(f"\n{told}")
    assert len(set(found)) == len(found)
    assert len(kept) > 500 * kills
    # It was told before it was kept: none of the store's is missing.
    assert kept <= set(found)
