"""Keys stay with their variant when a service is restarted, and on every host of a store."""

from pathlib import Path

from understudy.client import Client
from understudy.v1 import experiment_pb2 as pb
from understudy.v1 import experiment_pb2_grpc

from ..postgresql import database
from ..stub.faultstub import FaultStub
from ..stub.runners import stub_thread
from .experimenting import HI, draft, models
from .running import Demo, serving

USERS = [f"user-{number}" for number in range(60)]


def answering(server: Demo, users: list[str]) -> dict[str, str]:
    """Return by user who answers, at a service in a process of its own."""
    with Client(server.target) as client:
        return {
            user: client.completion(messages=HI, experiment="x", user=user).routing.variant
            for user in users
        }


def make(server: Demo) -> None:
    """Create and start an experiment there."""
    even = [
        {"id": "a", "model_group": "gpt-4", "weight": 5000},
        {"id": "b", "model_group": "llama-2", "weight": 5000},
    ]
    with Client(server.target) as client:
        ask = client.raw_stub(experiment_pb2_grpc.ExperimentServiceStub)
        made = ask.CreateExperiment(
            pb.CreateExperimentRequest(
                experiment=draft(variants=even, control="a"), experiment_id="x"
            )
        ).experiment
        ask.StartExperiment(pb.StartExperimentRequest(name=made.name, etag=made.etag))


def test_users_stay_where_they_are_when_the_service_is_restarted(tmp_path: Path) -> None:
    with stub_thread(FaultStub()) as stub:
        config = models(stub, tmp_path / "state")
        with serving(config, tmp_path) as server:
            make(server)
            before = answering(server, USERS)
            assert server.stop() == 0
        with serving(config, tmp_path) as server:
            after = answering(server, USERS)

    assert set(before.values()) == {"a", "b"}
    assert after == before


def test_two_hosts_on_one_store_give_a_user_the_same_variant(
    tmp_path: Path, postgresql: str
) -> None:
    with stub_thread(FaultStub()) as stub, database(postgresql) as url:
        for name in ("one", "two"):
            (tmp_path / name).mkdir()
        configs = [
            models(stub, tmp_path / name / "state", understudy={"store": {"url": url}})
            for name in ("one", "two")
        ]
        with (
            serving(configs[0], tmp_path / "one") as one,
            serving(configs[1], tmp_path / "two") as two,
        ):
            make(one)
            first = answering(one, USERS)
            with Client(two.target) as client:
                watch = client.raw_stub(experiment_pb2_grpc.ExperimentServiceStub)
                for told in watch.WatchExperiments(pb.WatchExperimentsRequest(), timeout=5):
                    if told.experiment.state == pb.Experiment.STATE_RUNNING:
                        break
            second = answering(two, USERS)

    assert set(first.values()) == {"a", "b"}
    assert second == first
