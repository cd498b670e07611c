"""P-1, C-7: a service that is killed in the middle of changes loses none that it acknowledged."""

import asyncio
import json
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import grpc
import pytest

from understudy.server.domain.deployment import Secret
from understudy.server.domain.experiments import AuditEntry
from understudy.server.store import open_store
from understudy.server.store.keeping import FILE, ExperimentStore
from understudy.v1 import experiment_pb2

from ..postgresql import database
from ..service.asking import prompt
from .hosts import SIMULATED, Line, experiment, host, line

KILLS = [
    pytest.param("sqlite", 6),
    pytest.param("postgresql", 3),
    pytest.param("sqlite", 200, marks=pytest.mark.proof),
    pytest.param("postgresql", 200, marks=pytest.mark.proof),
]
# Of a state, what may follow it, by the action that leads there.
LEGAL = {
    ("CreateExperiment", ""): "DRAFT",
    ("UpdateExperiment", "DRAFT"): "DRAFT",
    ("UpdateExperiment", "RUNNING"): "RUNNING",
    ("UpdateExperiment", "PAUSED"): "PAUSED",
    ("StartExperiment", "DRAFT"): "RUNNING",
    ("StartExperiment", "ROLLED_BACK"): "RUNNING",
    ("PauseExperiment", "RUNNING"): "PAUSED",
    ("ResumeExperiment", "PAUSED"): "RUNNING",
    ("RollbackExperiment", "RUNNING"): "ROLLED_BACK",
    ("RollbackExperiment", "PAUSED"): "ROLLED_BACK",
}


@dataclass(slots=True)
class Log:
    """What was acknowledged: revision, experiment and action; and how many calls broke off."""

    acknowledged: dict[int, tuple[str, str]] = field(default_factory=dict[int, tuple[str, str]])
    broken: int = 0

    @property
    def newest(self) -> int:
        """The newest revision that was acknowledged."""
        return max(self.acknowledged, default=0)

    def note(self, made: experiment_pb2.Experiment, action: str) -> None:
        """Note what was acknowledged."""
        self.acknowledged[made.revision] = (made.name.removeprefix("experiments/"), action)


async def rename(at: Line, log: Log) -> None:
    """Change one experiment, until the host is gone: its title, and now and then everything."""
    made = await at.get()
    for nonce in range(1, 1_000_000):
        # Each epoch stays for ever: thousands of them would be what is measured.
        paths = ("title",) if nonce % 10 else ("title", "variants")
        made = await at.update(experiment(nonce, etag=made.etag), *paths)
        log.note(made, "UpdateExperiment")


async def live(at: Line, log: Log, name: str) -> None:
    """Lead an experiment through its life, until the host is gone."""
    pb = experiment_pb2
    name = f"experiments/{name}"
    made = (await at.experiments.GetExperiment(pb.GetExperimentRequest(name=name))).experiment
    while True:
        if made.state not in (pb.Experiment.STATE_RUNNING, pb.Experiment.STATE_PAUSED):
            start = pb.StartExperimentRequest(name=name, etag=made.etag)
            made = (await at.experiments.StartExperiment(start)).experiment
            log.note(made, "StartExperiment")
        if random.random() < 0.5 and made.state == pb.Experiment.STATE_RUNNING:
            pause = pb.PauseExperimentRequest(name=name, etag=made.etag)
            made = (await at.experiments.PauseExperiment(pause)).experiment
            log.note(made, "PauseExperiment")
        rollback = pb.RollbackExperimentRequest(name=name, cause="it lost")
        made = (await at.experiments.RollbackExperiment(rollback)).experiment
        log.note(made, "RollbackExperiment")


async def change_until_gone(target: str, log: Log, kill: Callable[[], None]) -> None:
    """Change experiments, four at a time; kill the host after a while."""

    async with line(target) as at:
        # What serves after the restart is at least what was acknowledged before.
        answer = await at.completions.CreateCompletion(prompt(experiment="x"))
        assert answer.routing.config_revision >= log.newest

        async def work(number: int) -> None:
            try:
                await (live(at, log, f"y{number}") if number else rename(at, log))
            except grpc.aio.AioRpcError as error:
                if error.code() is not grpc.StatusCode.UNAVAILABLE:
                    raise
                log.broken += 1

        working = asyncio.gather(*(work(number) for number in range(4)))
        known = len(log.acknowledged)
        while len(log.acknowledged) < known + random.randint(1, 40):
            await asyncio.sleep(random.uniform(0.0, 0.02))
        kill()
        await working


def check_file(folder: Path) -> None:
    """Have another process look at SQLite's file."""
    look = "sqlite3.connect(sys.argv[1]).execute('PRAGMA integrity_check').fetchone()[0]"
    program = f"import sqlite3, sys; print({look})"
    told = subprocess.run(
        [sys.executable, "-c", program, folder / "state" / FILE],
        capture_output=True,
        text=True,
        check=True,
    )
    assert told.stdout.strip() == "ok"


def check_trail(store: ExperimentStore, log: Log) -> int:
    """Check that all that was acknowledged is in the trail, which has no gap; return its length."""
    entries: list[AuditEntry] = []
    while found := store.follow(entries[-1].revision if entries else 0):
        entries.extend(found)
    assert store.find_tampering() is None
    assert [one.seq for one in entries] == list(range(1, len(entries) + 1))
    first = entries[0].revision
    assert [one.revision for one in entries] == list(range(first, first + len(entries)))
    assert store.revision() == entries[-1].revision
    by_revision = {one.revision: (one.experiment, one.action) for one in entries}
    lost = {
        revision: what
        for revision, what in log.acknowledged.items()
        if by_revision.get(revision) != what
    }
    assert lost == {}

    last: dict[str, str] = {}
    for entry in entries:
        assert entry.before == last.get(entry.experiment, "")
        last[entry.experiment] = entry.after
        before = json.loads(entry.before)["state"] if entry.before else ""
        assert json.loads(entry.after)["state"] == LEGAL[entry.action, before]
        assert json.loads(entry.after)["revision"] == entry.revision
    roster = store.load()
    revisions = {name: one.revision for name, one in roster.experiments.items()}
    assert revisions == {name: json.loads(body)["revision"] for name, body in last.items()}
    return len(entries)


@pytest.mark.asyncio
@pytest.mark.parametrize(("kind", "kills"), KILLS)
async def test_a_killed_service_loses_nothing_that_it_acknowledged(
    kind: str,
    kills: int,
    request: pytest.FixtureRequest,
    tmp_path: Path,
    record_property: Callable[[str, object], None],
    capsys: pytest.CaptureFixture[str],
) -> None:
    url: str | None = None
    if kind == "postgresql":
        # Gone with its server: what is killed has connections to it.
        made = database(request.getfixturevalue("postgresql"))
        url = made.__enter__()
        request.addfinalizer(lambda: made.__exit__(None, None, None))
    log, started = Log(), time.monotonic()
    with host(SIMULATED, tmp_path, url) as one:
        async with line(one.target) as at:
            log.note(await at.run(experiment(0)), "StartExperiment")
            for number in range(1, 4):
                create = experiment_pb2.CreateExperimentRequest(
                    experiment=experiment(number), experiment_id=f"y{number}"
                )
                draft = (await at.experiments.CreateExperiment(create)).experiment
                log.note(draft, "CreateExperiment")
    for _ in range(kills):
        with host(SIMULATED, tmp_path, url) as one:
            await change_until_gone(
                one.target, log, lambda: one.process.send_signal(signal.SIGKILL)
            )
        if url is None:
            check_file(tmp_path)

    store = open_store(None if url is None else Secret(url, "TEST_URL"), tmp_path / "state")
    try:
        entries = check_trail(store, log)
    finally:
        store.close()
    told = (
        f"{kills} kills on {kind}: {len(log.acknowledged)} changes acknowledged, {log.broken} "
        f"broken off, {entries} audit entries, none lost; {time.monotonic() - started:.0f} s"
    )
    record_property("kills", told)
    with capsys.disabled():
        print(f"\n{told}")
