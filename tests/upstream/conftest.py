"""A stub and an upstream for each test, on both event loops."""

import asyncio
from collections.abc import AsyncGenerator, Callable, Mapping
from pathlib import Path

import pytest
import pytest_asyncio
import uvloop

from understudy.server.upstream import HttpUpstream
from understudy.server.upstream.egress import USUAL, TlsContexts

from ..stub.certificates import Authority
from ..stub.faultstub import FaultStub
from .desk import Desk
from .signing_in import Caller, Clock


def pytest_asyncio_loop_factories() -> Mapping[str, Callable[[], asyncio.AbstractEventLoop]]:
    """Run every test on the service's loop, and on the one that programs bring by default."""
    return {"uvloop": uvloop.new_event_loop, "asyncio": asyncio.new_event_loop}


@pytest_asyncio.fixture
async def stub() -> AsyncGenerator[FaultStub]:
    """A model that does as its name says."""
    async with FaultStub() as running:
        yield running


@pytest.fixture(scope="session")
def tls() -> TlsContexts:
    """What an upstream makes for itself unless it is given one: it takes a while to read."""
    contexts = TlsContexts()
    contexts.find(USUAL)
    return contexts


@pytest.fixture(scope="session")
def authority() -> Authority:
    """Who vouches for servers, where somebody trusts it."""
    return Authority()


@pytest_asyncio.fixture
async def caller(stub: FaultStub, authority: Authority, tmp_path: Path) -> AsyncGenerator[Caller]:
    """A caller of the stub's models, who signs in."""
    async with (
        Desk(authority.serve_as("127.0.0.1")) as desk,
        HttpUpstream(ca_file=authority.write_to(tmp_path)) as http,
    ):
        made = Caller(stub, desk, http, Clock())
        async with made.signed_in:
            yield made


@pytest_asyncio.fixture
async def upstream(tls: TlsContexts) -> AsyncGenerator[HttpUpstream]:
    """An upstream with its defaults."""
    async with HttpUpstream(tls=tls) as running:
        yield running
