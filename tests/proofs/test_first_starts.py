"""Many processes that start at once on a store that is not there yet: none fails."""

import asyncio
import subprocess
import sys
import time
from collections.abc import Callable, Generator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

from ..postgresql import database
from ..service.asking import prompt
from .hosts import SIMULATED, experiment, host, line

PROCESSES = 4
ROOT = Path(__file__).parents[2]


@contextmanager
def opener() -> Generator["subprocess.Popen[str]"]:
    """A process that opens stores until the block ends."""
    command = [sys.executable, "-m", "tests.proofs.opener"]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, cwd=ROOT, stdin=pipe, stdout=pipe, text=True) as process:
        assert hear(process) == "ready"
        try:
            yield process
        finally:
            process.kill()


def tell(process: "subprocess.Popen[str]", text: str) -> None:
    """Write a line to a process."""
    assert process.stdin is not None
    process.stdin.write(f"{text}\n")
    process.stdin.flush()


def hear(process: "subprocess.Popen[str]") -> str:
    """Read a line from a process."""
    assert process.stdout is not None
    return process.stdout.readline().strip()


@pytest.mark.parametrize("kind", ["sqlite", "postgresql"])
@pytest.mark.parametrize("rounds", [3, pytest.param(40, marks=pytest.mark.proof)])
def test_none_of_four_processes_fails_at_a_first_start(
    rounds: int,
    kind: str,
    request: pytest.FixtureRequest,
    tmp_path: Path,
    record_property: Callable[[str, object], None],
    capsys: pytest.CaptureFixture[str],
) -> None:
    heard: list[str] = []
    slowest = 0.0
    with ExitStack() as stack:
        processes = [stack.enter_context(opener()) for _ in range(PROCESSES)]
        for number in range(rounds):
            url = "-"
            if kind == "postgresql":
                made = database(request.getfixturevalue("postgresql"))
                url = stack.enter_context(made)
            started = time.monotonic()
            for process in processes:
                tell(process, f"{tmp_path / str(number)} {url}")
            heard.extend(map(hear, processes))
            slowest = max(slowest, time.monotonic() - started)

    told = f"{rounds} first starts of {PROCESSES} processes on {kind}: at most {slowest:.2f} s"
    record_property("first starts", told)
    with capsys.disabled():
        print(f"\n{told}")
    assert heard == ["ok"] * (rounds * PROCESSES)


@pytest.mark.asyncio
@pytest.mark.parametrize("kind", ["sqlite", "postgresql"])
@pytest.mark.parametrize("rounds", [1, pytest.param(5, marks=pytest.mark.proof)])
async def test_none_of_four_services_fails_at_a_first_start(
    rounds: int, kind: str, request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    for number in range(rounds):
        folder = tmp_path / str(number)
        folder.mkdir()
        with ExitStack() as stack:
            url: str | None = None
            if kind == "postgresql":
                made = database(request.getfixturevalue("postgresql"))
                url = stack.enter_context(made)
            ways = [
                host(SIMULATED, folder / str(one), url, state=folder / "state")
                for one in range(PROCESSES)
            ]
            with ThreadPoolExecutor(PROCESSES) as threads:
                started = [threads.submit(stack.enter_context, way) for way in ways]
            hosts = [one.result() for one in started]
            async with line(hosts[0].target) as one, line(hosts[-1].target) as another:
                made_here = await one.run(experiment(0))
                await another.hear_of_it()
                answer = await another.completions.CreateCompletion(prompt(experiment="x"))
            ends = await asyncio.gather(*(asyncio.to_thread(one.stop) for one in hosts))
            assert ends == [0] * PROCESSES
            for each in hosts:
                assert not [told for told in each.log if "WARNING" in told or "ERROR" in told]

        assert answer.routing.config_revision == made_here.revision
