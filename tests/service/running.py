"""Starts the service for tests: in a process of its own, or on the test's own loop."""

import os
import re
import signal
import subprocess
import sys
import threading
from collections.abc import AsyncGenerator, Callable, Generator, Mapping
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import grpc

from understudy.server.app import Service, running
from understudy.server.config import parse
from understudy.v1 import completion_pb2_grpc

PATIENCE = 30.0  # seconds until a process that should be ready or gone is given up


@dataclass(slots=True)
class Demo:
    """A service in a process of its own, and what it has written."""

    process: subprocess.Popen[str]
    target: str = ""
    ready: str = ""
    log: list[str] = field(default_factory=list[str])

    def stop(self) -> int:
        """Send SIGTERM; return the exit code."""
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(PATIENCE)


@contextmanager
def process(
    *arguments: str,
    environment: Mapping[str, str] | None = None,
    module: str = "understudy.server",
    begun: Callable[[int], None] | None = None,
) -> Generator[Demo]:
    """Run `understudy …` until the block ends; `module` is what stands for `understudy`.

    `begun` is told its process id before it is ready.
    """
    command = [sys.executable, "-m", module, *arguments]
    child = subprocess.Popen(
        command,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, **(environment or {})},
    )
    demo = Demo(child)

    def keep_reading() -> None:
        assert child.stderr is not None
        demo.log.extend(child.stderr)

    reader = threading.Thread(target=keep_reading)
    reader.start()
    try:
        if begun is not None:
            begun(child.pid)
        assert child.stdout is not None
        demo.ready = child.stdout.readline()
        found = re.search(r"grpc=(\S+)", demo.ready)
        assert found is not None, f"no ready line: {demo.ready!r} {demo.log}"
        demo.target = found[1]
        yield demo
    finally:
        child.kill()
        child.wait()
        reader.join()
        for pipe in (child.stdout, child.stderr):
            if pipe is not None:
                pipe.close()


@contextmanager
def serving(
    config: str,
    folder: Path,
    *arguments: str,
    environment: Mapping[str, str] | None = None,
    module: str = "understudy.server",
    begun: Callable[[int], None] | None = None,
) -> Generator[Demo]:
    """Run `understudy serve` with this configuration until the block ends."""
    path = folder / "config.yaml"
    path.write_text(config)
    options = ("serve", "--config", str(path), "--port", "0", *arguments)
    with process(*options, environment=environment, module=module, begun=begun) as demo:
        yield demo


@dataclass(frozen=True, slots=True)
class Local:
    """A service on the test's own loop, and a stub for it."""

    service: Service
    channel: grpc.aio.Channel
    stub: "completion_pb2_grpc.CompletionServiceAsyncStub"


@asynccontextmanager
async def local(config: str, environment: Mapping[str, str] | None = None) -> AsyncGenerator[Local]:
    """Run a service with this configuration on the current loop until the block ends."""
    async with (
        running(parse(config, "test.yaml", environment or {})) as service,
        grpc.aio.insecure_channel(service.address) as channel,
    ):
        yield Local(service, channel, completion_pb2_grpc.CompletionServiceStub(channel))
