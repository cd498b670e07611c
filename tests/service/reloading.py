"""Starts a service whose file can be written anew and read again, on the test's own loop."""

import hashlib
import logging
from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import Any

import grpc

from understudy.server.app import running
from understudy.server.config import Config, load, refusals
from understudy.server.errors import ConfigError
from understudy.server.reloading import Reloads
from understudy.v1 import completion_pb2_grpc, operations_pb2, operations_pb2_grpc

from ..stub.eventually import eventually
from .asking import prompt
from .running import Local


@dataclass(frozen=True, slots=True)
class Reloadable(Local):
    """A service, and the file that it was started with."""

    path: Path
    reloads: Reloads
    log: list[str]  # of the last reading

    async def reload(self, text: str | bytes | None = None) -> str:
        """Write the file anew, have it read, and return why it was refused, if it was."""
        if isinstance(text, str):
            self.path.write_text(text)
        elif text is not None:
            self.path.write_bytes(text)
        self.log.clear()
        self.reloads.ask()
        await eventually(lambda: self.log, within=10)
        return self.reloads.error

    async def answer(self, model: str = "g", **options: Any) -> str:
        """Ask a model."""
        told = await self.stub.CreateCompletion(prompt(model), timeout=10, **options)
        return told.choices[0].message.content

    async def status(self, **options: Any) -> operations_pb2.GetStatusResponse:
        """Ask how the service is."""
        stub = operations_pb2_grpc.OperationsServiceStub(self.channel)
        return await stub.GetStatus(operations_pb2.GetStatusRequest(), timeout=10, **options)


class _Log(logging.Handler):
    """Keeps what is said of readings."""

    def __init__(self) -> None:
        super().__init__()
        self.lines: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        """Keep a line."""
        self.lines.append(record.getMessage())


@asynccontextmanager
async def reloadable(
    path: Path, text: str, environment: Mapping[str, str] | None = None
) -> AsyncGenerator[Reloadable]:
    """Run a service with a file of this text until the block ends."""
    path.write_text(text)

    def read() -> Config:
        config = load(path, environment or {})
        if refused := refusals(config):
            raise ConfigError(refused)
        return config

    clock = count(1.0)
    config = read()
    reloads = Reloads(config, read, lambda: next(clock))
    log = _Log()
    logger = logging.getLogger(Reloads.__module__)
    logger.addHandler(log)
    level = logger.level
    logger.setLevel(logging.INFO)
    try:
        async with (
            running(config, reloads) as service,
            grpc.aio.insecure_channel(service.address) as channel,
        ):
            stub = completion_pb2_grpc.CompletionServiceStub(channel)
            yield Reloadable(service, channel, stub, path, reloads, log.lines)
    finally:
        logger.removeHandler(log)
        logger.setLevel(level)


def key(value: str, *roles: str) -> dict[str, Any]:
    """An entry of api_keys."""
    digest = hashlib.sha256(value.encode()).hexdigest()
    return {"name": value, "sha256": digest, "roles": roles or ("operator",)}


def bearing(value: str) -> dict[str, Any]:
    """Options of a call that bears a key."""
    return {"metadata": (("authorization", f"Bearer {value}"),)}


def simulated(name: str) -> dict[str, Any]:
    """A model group that needs no network."""
    return {"model_name": name, "litellm_params": {"model": f"simulated/{name}"}}
