"""Closed-loop load over gRPC, with every status checked, and what it found."""

import asyncio
import os
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path

import grpc

from understudy.v1 import chat_pb2, completion_pb2

METHOD = "/understudy.v1.CompletionService/CreateCompletion"
STREAM = "/understudy.v1.CompletionService/StreamCompletion"
PROMPT = completion_pb2.CreateCompletionRequest(
    model="benchmark",
    messages=[
        chat_pb2.ChatMessage(role="system", content="You are terse."),
        chat_pb2.ChatMessage(
            role="user", content="What is the answer to everything, and why is it that?"
        ),
    ],
).SerializeToString()


@dataclass(slots=True)
class Sample:
    """What one stretch of load found. Latencies are in seconds; `cpu` is the server's."""

    seconds: float
    cpu: float
    failures: int
    latencies: list[float] = field(default_factory=list[float])

    @property
    def rate(self) -> float:
        """Answers a second."""
        return len(self.latencies) / self.seconds

    @property
    def cpu_each(self) -> float:
        """Microseconds of the server's CPU time for each answer."""
        return self.cpu / max(1, len(self.latencies)) * 1e6

    def quantile(self, share: float) -> float:
        """Milliseconds within which this share of the answers came."""
        ordered = sorted(self.latencies)
        return ordered[min(len(ordered) - 1, int(share * len(ordered)))] * 1e3


async def press(
    port: int, pid: int, seconds: float, in_flight: int, connections: int, *, stream: bool = False
) -> Sample:
    """Keep so many calls in flight for so long; the first fifth of the time is not counted.

    A streamed answer counts once it has come to its end.
    """
    channels = [
        grpc.aio.insecure_channel(
            f"127.0.0.1:{port}", options=[("grpc.use_local_subchannel_pool", 1)]
        )
        for _ in range(connections)
    ]
    begin = time.perf_counter() + seconds / 5
    end = begin + seconds
    sample = Sample(seconds, 0.0, 0)
    marks: dict[str, float] = {}

    async def work(channel: grpc.aio.Channel) -> None:
        ask = asking(channel, stream=stream)
        while (started := time.perf_counter()) < end:
            if started >= begin and "cpu" not in marks:
                marks["cpu"] = cpu_seconds(pid)
            try:
                await ask(PROMPT)
            except grpc.aio.AioRpcError:
                sample.failures += 1
                continue
            now = time.perf_counter()
            if started >= begin and now <= end:
                sample.latencies.append(now - started)

    await asyncio.gather(*(work(channels[at % connections]) for at in range(in_flight)))
    if not sample.latencies:
        raise RuntimeError(f"no answer in {seconds} s; {sample.failures} calls failed")
    sample.cpu = cpu_seconds(pid) - marks["cpu"]
    for channel in channels:
        await channel.close()
    return sample


def asking(channel: grpc.aio.Channel, *, stream: bool) -> Callable[[bytes], Awaitable[object]]:
    """Return what makes one call, and waits for all of its answer."""
    if not stream:
        call: grpc.aio.UnaryUnaryMultiCallable[bytes, bytes] = channel.unary_unary(METHOD)

        async def ask(prompt: bytes) -> object:
            return await call(prompt)

        return ask
    streamed: grpc.aio.UnaryStreamMultiCallable[bytes, bytes] = channel.unary_stream(STREAM)

    async def hear(prompt: bytes) -> object:
        return [piece async for piece in streamed(prompt)]

    return hear


def cpu_seconds(pid: int) -> float:
    """Return the CPU time that a process has used, in seconds."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def memory(pid: int) -> float:
    """Return a process's resident memory in MiB."""
    pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 2**20
