"""What the dashboard's process is told of what serves, and how it is replaced."""

import asyncio
import logging
import socket
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import pytest

from understudy.server.dashboard.house import Names
from understudy.server.dashboard_process.keeping import Keeper, Serving, find_changed
from understudy.server.dashboard_process.messages import Admitted, Anything, Database, Open
from understudy.server.domain.access import ApiKey, Identity, Role
from understudy.server.domain.experiments import Experiment, Roster, Variant
from understudy.server.processes.link import LinkError

from ..stub.eventually import eventually

SECRET = "postgresql://me:canary-password@127.0.0.1/x"


def experiment(name: str, title: str = "") -> Experiment:
    variants = (Variant("a", "gpt-4", 10_000),)
    return Experiment(id=name, title=title, variants=variants, control="a")


def order(folder: Path) -> Open:
    return Open(
        address="127.0.0.1:50051",
        host="127.0.0.1",
        names=(),
        cert_file=None,
        key_file=None,
        admitted=Admitted((), ()),
        records=Database(SECRET),
        store=Database(None),
        state_dir=str(folder),
        environ={},
        log_level="WARNING",
    )


async def refuse(message: Anything) -> Anything:
    raise LinkError(f"nobody answers {type(message).__name__}")


@asynccontextmanager
async def kept(folder: Path, program: str) -> AsyncGenerator[Keeper]:
    """Keep a program alive as if it were the dashboard, until the block ends."""
    seen = Serving(lambda: Roster(1), lambda: False, Names, _never)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        keeper = Keeper(order(folder), listener, seen, refuse, program)
        keeping = asyncio.create_task(keeper.run())
        try:
            yield keeper
        finally:
            keeping.cancel()
            with suppress(asyncio.CancelledError):
                await keeping


async def _never(_: int, timeout: float) -> bool:
    await asyncio.sleep(timeout)
    return False


def test_only_what_is_not_known_is_told() -> None:
    old = {"x": experiment("x"), "y": experiment("y"), "z": experiment("z")}
    new = {"x": experiment("x"), "y": experiment("y", "other"), "w": experiment("w")}

    assert find_changed(old, new) == [new["y"], new["w"]]
    assert find_changed(old, dict(old)) == []


@pytest.mark.asyncio
async def test_one_that_ends_at_once_is_followed_by_another_ever_later(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async with kept(tmp_path, "understudy.server.nothing"):
        await eventually(lambda: len(caplog.messages) >= 2, within=20)

    assert "the service goes on without the dashboard" in caplog.text
    assert "started anew in 0.5 s" in caplog.messages[0]
    assert "started anew in 1.0 s" in caplog.messages[1]


@pytest.mark.asyncio
async def test_whoever_may_come_in_is_the_order_of_the_next_process_too(tmp_path: Path) -> None:
    operator = ApiKey("0" * 64, Identity.of("op", frozenset({Role.OPERATOR})))
    async with kept(tmp_path, "understudy.server.nothing") as keeper:
        await keeper.admit(Admitted((operator,), ()))

        assert keeper.order.admitted.keys == (operator,)


def test_no_password_is_in_what_is_shown_of_an_order(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    logging.getLogger("understudy").warning("%r", order(tmp_path))

    assert "canary" not in caplog.text
