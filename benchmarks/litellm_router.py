"""Asks by LiteLLM's Router, in LiteLLM's own environment; a program for `peers` to run.

Arguments: the file to write what was found, and the configuration as JSON. It begins once that
file's name with the suffix `.go` tells how many seconds, and how many calls in flight.
"""

# mypy: ignore-errors
# pyright: basic, reportMissingImports=false

import asyncio
import json
import sys
import time
from pathlib import Path

import litellm

MESSAGES = [
    {"role": "system", "content": "You are terse."},
    {"role": "user", "content": "What is the answer to everything, and why is it that?"},
]


async def main(ended: Path, config: dict) -> None:
    """Ask, and write what was found."""
    router = litellm.Router(**config)
    await router.acompletion(model="benchmark", messages=MESSAGES)
    told = ended.with_suffix(".go")
    while not told.exists() or not told.read_text():
        await asyncio.sleep(0.05)
    seconds, in_flight = told.read_text().split()
    seconds = float(seconds)
    begin = time.perf_counter() + seconds / 5
    end = begin + seconds
    latencies, failures, cpu = [], 0, None

    async def work() -> None:
        nonlocal failures, cpu
        while (started := time.perf_counter()) < end:
            if started >= begin and cpu is None:
                cpu = time.process_time()
            try:
                await router.acompletion(model="benchmark", messages=MESSAGES)
            except Exception:  # noqa: BLE001 - whatever it raises is a failed call
                failures += 1
                continue
            now = time.perf_counter()
            if started >= begin and now <= end:
                latencies.append(now - started)

    await asyncio.gather(*(work() for _ in range(int(in_flight))))
    found = {
        "seconds": seconds,
        "cpu": time.process_time() - (cpu or 0.0),
        "failures": failures,
        "latencies": latencies,
    }
    part = ended.with_suffix(".part")
    part.write_text(json.dumps(found))
    part.rename(ended)
    await asyncio.sleep(60)  # so that its memory can be read; whoever started it ends it


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1]), json.loads(sys.argv[2])))
