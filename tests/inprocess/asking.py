"""Makes Routers for tests, and asks them in every way there is."""

import asyncio
import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Literal, Unpack

from understudy.client.parameters import MessageInput, Parameters
from understudy.server import Router

from ..service.configs import deployment
from ..stub.faultstub import FaultStub

Way = Literal["sync", "async", "sync stream", "async stream", "awaited stream"]
WAYS: tuple[Way, ...] = ("sync", "async", "sync stream", "async stream", "awaited stream")
HI: list[MessageInput] = [{"role": "user", "content": "hi"}]
ROOT = Path(__file__).parents[2]


def make_router(stub: FaultStub, *modes: str) -> Router:
    """A Router whose groups are called after what the stub does for them."""
    groups = [deployment(stub, mode, mode) for mode in modes]
    return Router(groups, understudy={"records": {"enabled": False}})


def ask(router: Router, way: Way, model: str, **parameters: Unpack[Parameters]) -> str:
    """Say "hi"; return the text of the answer."""
    if way == "sync":
        return router.completion(model, HI, **parameters).choices[0].message.content
    if way == "sync stream":
        pieces = router.completion(model, HI, stream=True, **parameters)
        return "".join(one.delta.content for piece in pieces for one in piece.choices)
    return asyncio.run(ask_async(router, way, model, **parameters))


async def ask_async(router: Router, way: Way, model: str, **parameters: Unpack[Parameters]) -> str:
    """Say "hi" from an event loop; return the text of the answer."""
    if way == "async":
        return (await router.acompletion(model, HI, **parameters)).choices[0].message.content
    pieces = router.acompletion(model, HI, stream=True, **parameters)
    if way == "awaited stream":
        pieces = await pieces
    return "".join([one.delta.content async for piece in pieces for one in piece.choices])


def run_script(
    text: str, environment: Mapping[str, str] | None = None, *, within: float = 20.0
) -> "subprocess.CompletedProcess[str]":
    """Run a program of its own, with nothing of the test's environment that means a provider."""
    kept = {
        name: os.environ[name] for name in ("PATH", "HOME", "XDG_STATE_HOME") if name in os.environ
    }
    return subprocess.run(
        [sys.executable, "-W", "error", "-c", text],
        cwd=ROOT,
        env={**kept, **(environment or {})},
        capture_output=True,
        text=True,
        timeout=within,
        check=False,
    )
