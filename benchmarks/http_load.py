"""Closed-loop load over HTTP, for peers that speak it, as `load` is over gRPC."""

import asyncio
import json
import time
from collections.abc import Mapping
from typing import Final

import aiohttp

from benchmarks.load import Sample, cpu_seconds
from benchmarks.subjects import Subject

BODY: Final = json.dumps(
    {
        "model": "benchmark",
        "messages": [
            {"role": "system", "content": "You are terse."},
            {
                "role": "user",
                "content": "What is the answer to everything, and why is it that?",
            },
        ],
    }
).encode()


async def press_http(
    subject: Subject, path: str, headers: Mapping[str, str], seconds: float, in_flight: int
) -> Sample:
    """Keep so many calls in flight for so long; the first fifth of the time is not counted."""
    url = f"http://127.0.0.1:{subject.port}{path}"
    begin = time.perf_counter() + seconds / 5
    end = begin + seconds
    sample = Sample(seconds, 0.0, 0)
    marks: dict[str, float] = {}
    connector = aiohttp.TCPConnector(limit=0)
    sent = {**headers, "content-type": "application/json"}

    async def work(session: aiohttp.ClientSession) -> None:
        while (started := time.perf_counter()) < end:
            if started >= begin and "cpu" not in marks:
                marks["cpu"] = cpu_seconds(subject.pid)
            try:
                async with session.post(url, data=BODY, headers=sent) as reply:
                    await reply.read()
                    if reply.status != 200:
                        sample.failures += 1
                        continue
            except aiohttp.ClientError:
                sample.failures += 1
                continue
            now = time.perf_counter()
            if started >= begin and now <= end:
                sample.latencies.append(now - started)

    async with aiohttp.ClientSession(connector=connector) as session:
        await asyncio.gather(*(work(session) for _ in range(in_flight)))
    if not sample.latencies:
        raise RuntimeError(f"no answer in {seconds} s; {sample.failures} calls failed")
    sample.cpu = cpu_seconds(subject.pid) - marks["cpu"]
    return sample
