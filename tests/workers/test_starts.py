"""Who may not, or cannot, is told so: by any worker, and at the start."""

import asyncio
import hashlib
import socket
import subprocess
import sys
import time
from pathlib import Path

import grpc
import pytest

from understudy.server.domain.experiments import Roster
from understudy.server.errors import ConfigError
from understudy.server.mirror.pauses import Pauses
from understudy.server.processes.link import open_link
from understudy.server.workers.child import Child
from understudy.server.workers.fleet import Fleet, sailing
from understudy.server.workers.messages import FRAMES, Anything, Begin, Done, Text
from understudy.v1 import experiment_pb2 as pb

from ..service.asking import prompt, told
from ..service.running import serving
from ..stub.eventually import eventually
from ..stub.faultstub import FaultStub
from ..stub.runners import stub_thread
from .crew import configure, connected, experiment

KEYS = {"operator": "k-operator", "caller": "k-caller"}


def key(name: str) -> list[tuple[str, str | bytes]]:
    """Return what proves who calls, if anybody does."""
    return [("authorization", f"Bearer {KEYS[name]}")] if name else []


@pytest.mark.asyncio
async def test_each_worker_proves_who_calls_before_anything_is_passed_on(tmp_path: Path) -> None:
    keys = [
        {"name": name, "sha256": hashlib.sha256(one.encode()).hexdigest(), "roles": [name]}
        for name, one in KEYS.items()
    ]
    create = pb.CreateExperimentRequest(
        experiment_id="e", experiment=experiment({"a": 9000, "b": 1000})
    )
    reasons: set[str] = set()
    with stub_thread(FaultStub()) as stub:
        config = configure(stub, tmp_path, server={"api_keys": keys})
        with serving(config, tmp_path) as server:
            async with connected(server, metadata=key("operator")) as lines:
                for one in lines:
                    await one.completions.CreateCompletion(prompt("a"), metadata=key("caller"))
                    strangers: list[tuple[str, str | bytes]] = [("authorization", "Bearer nobody")]
                    for metadata in (key("caller"), strangers, key("")):
                        forged = [
                            *metadata,
                            ("understudy-identity-bin", b'{"name":"x","roles":[]}'),
                        ]
                        with pytest.raises(grpc.aio.AioRpcError) as caught:
                            await one.experiments.CreateExperiment(create, metadata=forged)
                        reasons.add(told(caught.value).reason)
                await lines[0].experiments.CreateExperiment(create, metadata=key("operator"))
                audit = await lines[-1].experiments.ListAuditEntries(
                    pb.ListAuditEntriesRequest(parent="experiments/e"), metadata=key("operator")
                )

    assert reasons == {"ROLE_MISSING", "CREDENTIALS_REJECTED", "CREDENTIALS_MISSING"}
    assert [one.actor for one in audit.audit_entries] == ["operator"]


@pytest.mark.asyncio
async def test_what_no_worker_can_run_with_is_refused_at_the_start(tmp_path: Path) -> None:
    with stub_thread(FaultStub()) as stub:
        path = tmp_path / "config.yaml"
        path.write_text(configure(stub, tmp_path, egress={"ca_file": "/nowhere.pem"}))
        command = [sys.executable, "-m", "understudy.server", "serve", "-c", str(path)]
        ended = await asyncio.to_thread(
            subprocess.run, command, capture_output=True, text=True, timeout=60, check=False
        )

    assert ended.returncode == 1
    assert "understudy.egress.ca_file: cannot read /nowhere.pem" in ended.stderr
    assert "Traceback" not in ended.stderr
    assert not list((tmp_path / "state").glob("workers-*"))


BEGIN = Begin(Text("", "", {}), Text("", "", {}), 2, "127.0.0.1", 0, None, "", "info")


async def agree(message: Anything) -> Anything:
    """Answer nothing in particular."""
    return Done()


class Nursery:
    """Starts programs that agree to everything for a while, or end at once."""

    def __init__(self) -> None:
        self.lifetimes: list[float] = []
        self.started: list[float] = []

    async def spawn(self) -> Child:
        """Start one that lives as long as the next lifetime says, or else not at all."""
        self.started.append(time.monotonic())
        ours, theirs = socket.socketpair()
        with theirs:
            command = ["true"]
            if self.lifetimes:
                seconds, number = str(self.lifetimes.pop(0)), str(theirs.fileno())
                command = [sys.executable, "-m", "tests.workers.agreeing", number, seconds]
            process = await asyncio.to_thread(
                subprocess.Popen[bytes], command, pass_fds=[theirs.fileno()]
            )
        return Child(process, await open_link(ours, agree, FRAMES))


@pytest.mark.asyncio
async def test_no_start_is_better_than_one_without_workers() -> None:
    fleet = Fleet(2, Nursery().spawn, BEGIN, Pauses())

    with pytest.raises(ConfigError, match="no worker could be started"):
        async with sailing(fleet):
            pass


@pytest.mark.asyncio
async def test_a_service_whose_workers_all_die_at_once_gives_up() -> None:
    nursery = Nursery()
    nursery.lifetimes = [0.5]
    fleet = Fleet(1, nursery.spawn, BEGIN, Pauses())
    await fleet.publish(Roster(1))
    async with sailing(fleet):
        assert len(fleet.pids) == 1
        await eventually(fleet.failed.is_set, within=20)
    waits = [
        after - before for before, after in zip(nursery.started, nursery.started[1:], strict=False)
    ]

    assert len(nursery.started) == 5
    assert waits[-1] > 0.8
    assert fleet.pids == []
