"""Names: looked up aside, bounded in time, kept for a while; a hung look-up is nobody else's."""

import asyncio
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Sequence

import pytest

from understudy.server.errors import Reason
from understudy.server.upstream import HttpUpstream

from ..stub.eventually import eventually
from ..stub.faultstub import FaultStub
from .asking import ask, fail, request

pytestmark = pytest.mark.asyncio


class Names:
    """A resolver to inject: loopback for all names but those that hang or fail."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.release = threading.Event()

    def __call__(self, host: str) -> Sequence[str]:
        self.asked.append(host)
        if host.startswith("hang"):
            self.release.wait(timeout=10)
        if host.startswith("fail"):
            raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")
        if host.startswith("broken"):
            raise ZeroDivisionError
        if host.startswith("empty"):
            return []
        return ["127.0.0.1"]


@pytest.fixture
def names() -> Names:
    return Names()


async def test_a_name_is_looked_up_once_for_many_connections(stub: FaultStub, names: Names) -> None:
    async with HttpUpstream(lookup=names) as upstream:
        asked = request(f"http://model.test:{stub.port}", "slow-20ms")

        await asyncio.gather(*(ask(upstream, asked) for _ in range(20)))
        await ask(upstream, request(f"http://model.test:{stub.port}", "ok+close"))
        await ask(upstream, asked)

    assert names.asked == ["model.test"]
    assert stub.requests[0].headers["host"] == f"model.test:{stub.port}"


@pytest.mark.parametrize("host", ["fail.test", "broken.test", "empty.test", "x" * 70 + ".test"])
async def test_a_name_that_does_not_resolve(names: Names, host: str) -> None:
    lookup = names if len(host) < 70 else _look_up_really
    async with HttpUpstream(lookup=lookup) as upstream:
        await fail(upstream, request(f"http://{host}:80"), Reason.UPSTREAM_DNS_FAILURE)


def _look_up_really(host: str) -> Sequence[str]:
    return [str(info[4][0]) for info in socket.getaddrinfo(host, None)]


async def test_a_failed_look_up_is_tried_again(stub: FaultStub, names: Names) -> None:
    async with HttpUpstream(lookup=names) as upstream:
        for _ in range(2):
            await fail(upstream, request("http://fail.test:80"), Reason.UPSTREAM_DNS_FAILURE)

    assert names.asked == ["fail.test"] * 2


async def test_hung_look_ups_end_in_time_and_hold_up_nobody_else(
    stub: FaultStub, names: Names
) -> None:
    async with HttpUpstream(lookup=names, lookup_timeout=0.3) as upstream:
        hung = [
            asyncio.create_task(
                fail(
                    upstream, request(f"http://hang-{n % 12}.test:80"), Reason.UPSTREAM_DNS_FAILURE
                )
            )
            for n in range(48)
        ]
        await eventually(lambda: len(names.asked) == 12)
        began = time.monotonic()

        answer = await ask(upstream, request(f"http://quick.test:{stub.port}"))
        by_the_loop = await asyncio.get_running_loop().run_in_executor(None, lambda: "free")

        assert (answer.status, by_the_loop) == (200, "free")
        assert time.monotonic() - began < 0.2
        await asyncio.gather(*hung)
        assert time.monotonic() - began < 0.5
        assert len(names.asked) == 13  # one thread for each hung name, not one for each call
        names.release.set()


async def test_a_look_up_that_ends_late_serves_the_next_call(stub: FaultStub, names: Names) -> None:
    async with HttpUpstream(lookup=names, lookup_timeout=0.05) as upstream:
        asked = request(f"http://hang.test:{stub.port}")
        await fail(upstream, asked, Reason.UPSTREAM_DNS_FAILURE)

        names.release.set()

        assert (await ask(upstream, asked)).status == 200
        assert names.asked == ["hang.test"]


async def test_a_cancelled_look_up_leaves_the_others_theirs(stub: FaultStub, names: Names) -> None:
    async with HttpUpstream(lookup=names) as upstream:
        first, second = (
            asyncio.create_task(ask(upstream, request(f"http://hang.test:{stub.port}")))
            for _ in range(2)
        )
        await eventually(lambda: names.asked)

        first.cancel()
        names.release.set()

        assert (await second).status == 200
        with pytest.raises(asyncio.CancelledError):
            await first


async def test_a_hung_look_up_does_not_keep_the_process() -> None:
    program = """
import asyncio, threading
from understudy.server.domain.deployment import Endpoint
from understudy.server.errors import UpstreamError
from understudy.server.ports import HttpRequest
from understudy.server.upstream import HttpUpstream

async def main():
    async with HttpUpstream(lookup=lambda host: threading.Event().wait(), lookup_timeout=0.1) as up:
        deadline = asyncio.get_running_loop().time() + 5
        async with up.exchange(HttpRequest(Endpoint("http://hang.test/", ()), b"{}"), deadline):
            pass

try:
    asyncio.run(main())
except UpstreamError as error:
    print(error.reason)
"""
    run = asyncio.to_thread(
        subprocess.run, [sys.executable, "-c", program], capture_output=True, text=True, timeout=10
    )

    ended = await run

    assert ended.stdout == "UPSTREAM_DNS_FAILURE\n", ended.stderr
