"""What is the host's is divided among workers, and what workers say is added up."""

from google.protobuf.timestamp_pb2 import Timestamp
from hypothesis import given
from hypothesis import strategies as st

from understudy.server.config.settings import BudgetSettings, MirrorSettings
from understudy.server.servicers.sum_status import sum_status
from understudy.server.workers.sharing import share
from understudy.v1 import operations_pb2 as pb

State = pb.DeploymentStatus.State
COUNTS = ("threads", "max_in_flight", "max_in_flight_per_model", "max_queue", "max_queue_bytes")


@given(
    st.builds(MirrorSettings, **{name: st.integers(1, 10**9) for name in COUNTS}),
    st.integers(1, 64),
)
def test_a_share_is_whole_and_its_sum_near_the_whole(
    settings: MirrorSettings, workers: int
) -> None:
    part = share(settings, workers)

    for name in COUNTS:
        whole, one = getattr(settings, name), getattr(part, name)
        assert one >= 1
        assert whole <= one * workers < whole + workers
    assert abs(part.budget.usd * workers - settings.budget.usd) < 1e-6


def test_one_worker_has_everything() -> None:
    settings = MirrorSettings(max_in_flight=7, budget=BudgetSettings(usd=3))

    assert share(settings, 1) == settings


def test_a_cap_that_workers_share_is_each_ones() -> None:
    settings = MirrorSettings(max_in_flight=8, budget=BudgetSettings(usd=3))

    part = share(settings, 4, divides_budget=False)

    assert (part.max_in_flight, part.budget) == (2, settings.budget)


def status(revision: int = 5, **silent: int) -> pb.GetStatusResponse:
    """How one process is."""
    return pb.GetStatusResponse(
        version="1",
        config_revision=revision,
        in_flight=2,
        deployments=[pb.DeploymentStatus(deployment="d", state=State.STATE_CLOSED, in_flight=3)],
        mirror=pb.MirrorStatus(
            paused=True,
            queued=1,
            queued_bytes=10,
            in_flight=4,
            silent_models=[
                pb.SilentModelStatus(
                    silent_model=name,
                    paused=True,
                    state=State.STATE_CLOSED,
                    offered=count,
                    outcomes={"PAIRED": count - 1, "SHED": 1},
                    shed={"QUEUE_FULL": 1},
                    spent_nano_usd=count,
                    cap_nano_usd=50,
                )
                for name, count in silent.items()
            ],
        ),
    )


def test_counts_are_added_and_the_oldest_revision_told() -> None:
    whole = sum_status([status(5, b=3, c=4), status(4, b=10)], Timestamp(seconds=1))

    assert (whole.version, whole.config_revision, whole.start_time.seconds) == ("1", 4, 1)
    assert (whole.in_flight, whole.deployments[0].in_flight) == (4, 6)
    assert (whole.mirror.queued, whole.mirror.queued_bytes, whole.mirror.in_flight) == (2, 20, 8)
    b, c = whole.mirror.silent_models
    assert (b.offered, dict(b.outcomes), dict(b.shed)) == (
        13,
        {"PAIRED": 11, "SHED": 2},
        {"QUEUE_FULL": 2},
    )
    assert (b.spent_nano_usd, b.cap_nano_usd) == (13, 100)
    assert (c.offered, c.cap_nano_usd) == (4, 100)


def test_what_is_spent_of_a_shared_cap_is_told_by_who_heard_last_and_not_added_up() -> None:
    parts = [status(b=spent) for spent in (3, 9, 5)]
    for part, heard in zip(parts, (10, 30, 20), strict=True):
        silent = part.mirror.silent_models[0]
        silent.overshoot_nano_usd, silent.lost_nano_usd = heard + 1, heard + 2
        silent.leased_nano_usd = heard + 3
        silent.spent_time.FromSeconds(heard)
    (b,) = sum_status([*parts, status()], Timestamp()).mirror.silent_models

    assert b.offered == 17
    assert (b.spent_nano_usd, b.cap_nano_usd, b.spent_time.seconds) == (9, 50, 30)
    assert (b.overshoot_nano_usd, b.lost_nano_usd, b.leased_nano_usd) == (31, 32, 33)


def test_what_processes_spend_of_caps_of_their_own_is_added_up() -> None:
    one, other = status(b=3), status(b=4)
    one.mirror.silent_models[0].overshoot_nano_usd = 7
    (b,) = sum_status([one, other], Timestamp()).mirror.silent_models

    assert (b.spent_nano_usd, b.overshoot_nano_usd, b.cap_nano_usd) == (7, 7, 100)
    assert not b.HasField("spent_time")


def test_the_worst_state_is_told_with_its_reason() -> None:
    well, ill = status(b=1), status(b=1)
    ill.deployments[0].state = State.STATE_OPEN
    ill.deployments[0].reason = "left alone"
    ill.mirror.silent_models[0].state = State.STATE_HALF_OPEN
    whole = sum_status([well, ill], Timestamp())

    assert (whole.deployments[0].state, whole.deployments[0].reason) == (
        State.STATE_OPEN,
        "left alone",
    )
    assert whole.mirror.silent_models[0].state == State.STATE_HALF_OPEN


def test_all_is_paused_only_where_all_are() -> None:
    one, other = status(b=1), status(b=1)
    other.mirror.paused = other.mirror.silent_models[0].paused = False
    whole = sum_status([one, other], Timestamp())

    assert not whole.mirror.paused
    assert not whole.mirror.silent_models[0].paused
