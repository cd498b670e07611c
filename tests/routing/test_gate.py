"""Who is let in: seats and circuits, on a clock of the test's own."""

from dataclasses import replace

import pytest

from understudy.server.domain.deployment import Deployment
from understudy.server.errors import Reason, RefusedError
from understudy.server.gate import JITTER, MOST_PLACES, DeploymentGate
from understudy.server.ports import Permit, Purpose
from understudy.server.routing.breaker import Circuit

from .making import deployment

ONE = deployment("one")
DOWN = Reason.UPSTREAM_UNAVAILABLE


class Door:
    """A gate with a clock that stands still until it is set."""

    def __init__(self, chance: float = 0.5) -> None:
        self.now = 0.0
        self.gate = DeploymentGate(lambda: self.now, lambda: chance)

    def enter(
        self,
        one: Deployment = ONE,
        *,
        purpose: Purpose = Purpose.PRIMARY,
        replaceable: bool = True,
    ) -> Permit | RefusedError:
        return self.gate.enter(one, purpose, replaceable=replaceable)

    def permit(self, one: Deployment = ONE, *, replaceable: bool = True) -> Permit:
        """Enter, which must be possible."""
        permit = self.enter(one, replaceable=replaceable)
        assert not isinstance(permit, RefusedError), permit.message
        return permit

    def refusal(self, one: Deployment = ONE, *, replaceable: bool = True) -> RefusedError:
        """Be refused, which must be."""
        refused = self.enter(one, replaceable=replaceable)
        assert isinstance(refused, RefusedError)
        return refused

    def fail(self, times: int, one: Deployment = ONE, *, replaceable: bool = True) -> None:
        """Fail so often, one call after another."""
        for _ in range(times):
            self.permit(one, replaceable=replaceable).leave(DOWN)


def test_a_deployment_that_fails_is_left_alone_and_says_until_when() -> None:
    door = Door()
    door.fail(5)

    refused = door.refusal()

    assert refused.reason is Reason.CIRCUIT_OPEN
    assert refused.retry_after == pytest.approx(5.0 * (1 + JITTER / 2))
    assert "5.0 s after UPSTREAM_UNAVAILABLE" in refused.message
    assert refused.metadata == {"deployment": "one", "cause": "UPSTREAM_UNAVAILABLE"}


def test_after_its_rest_one_call_tries_it() -> None:
    door = Door()
    door.fail(5)
    door.now = 5.0

    trial = door.permit()
    refused = [door.enter() for _ in range(100)]
    trial.leave(None)

    assert all(isinstance(one, RefusedError) for one in refused)
    assert door.gate.standing("one").circuit is Circuit.CLOSED
    door.permit()


@pytest.mark.parametrize("reason", [Reason.CANCELLED, Reason.UPSTREAM_REJECTED_REQUEST])
def test_a_trial_that_told_nothing_leaves_the_next_one_free(reason: Reason) -> None:
    door = Door()
    door.fail(5)
    door.now = 5.0
    door.permit().leave(reason)

    assert door.gate.standing("one").circuit is Circuit.OPEN
    door.permit()
    assert door.refusal().reason is Reason.CIRCUIT_OPEN


def test_what_is_the_callers_own_fault_says_nothing() -> None:
    door = Door()
    for _ in range(100):
        door.permit().leave(Reason.UPSTREAM_REJECTED_REQUEST)
        door.permit().leave(Reason.CANCELLED)
        door.permit().leave(Reason.DEADLINE_EXCEEDED)

    assert door.gate.standing("one").circuit is Circuit.CLOSED


def test_each_purpose_has_a_circuit_of_its_own() -> None:
    """M-4, M-25."""
    door = Door()
    for _ in range(100):
        permit = door.enter(purpose=Purpose.SILENT)
        if not isinstance(permit, RefusedError):
            permit.leave(DOWN)

    assert isinstance(door.enter(purpose=Purpose.SILENT), RefusedError)
    door.permit()


def test_who_asks_for_time_gets_it_where_another_can_be_asked() -> None:
    door = Door()
    door.permit().leave(Reason.UPSTREAM_RATE_LIMITED, 20.0)
    assert door.refusal().retry_after == pytest.approx(20.0 * (1 + JITTER / 2))
    door.now = 20.0

    for _ in range(10):  # and no trial
        door.permit()


def test_a_lone_deployment_is_not_left_alone_for_a_limit() -> None:
    door = Door()
    door.permit(replaceable=False).leave(Reason.UPSTREAM_RATE_LIMITED, 20.0)

    door.permit(replaceable=False)


def test_a_lone_deployment_survives_a_prompt_that_it_cannot_bear() -> None:
    door = Door()
    door.fail(19, replaceable=False)
    door.permit(replaceable=False)

    door.fail(1, replaceable=False)

    assert door.refusal(replaceable=False).reason is Reason.CIRCUIT_OPEN


def test_who_never_rests_is_always_let_in() -> None:
    door, one = Door(), replace(ONE, cooldown_time=0.0)
    door.fail(1000, one)
    door.permit(one).leave(Reason.UPSTREAM_RATE_LIMITED, 20.0)

    door.permit(one)


def test_so_many_seats_there_are_whatever_the_circuit() -> None:
    door, one = Door(), replace(ONE, max_parallel_requests=2, cooldown_time=0.0)
    first, _ = door.permit(one), door.permit(one)
    assert door.refusal(one).reason is Reason.LOCAL_POOL_EXHAUSTED

    first.leave(Reason.CANCELLED)

    door.permit(one)
    assert door.gate.taken == door.gate.standing("one").in_flight == 2


def test_its_standing_says_since_when_and_until_when() -> None:
    door = Door()
    door.fail(5)
    door.now = 2.0
    standing = door.gate.standing("one")

    assert (standing.circuit, standing.cause) == (Circuit.OPEN, "UPSTREAM_UNAVAILABLE")
    assert (standing.open_for, standing.trial_in) == (2.0, 3.0)


def test_an_opening_is_logged_once_and_its_end(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO")
    door = Door()
    late = [door.permit() for _ in range(10)]
    for permit in late:
        permit.leave(DOWN)
    door.now = 5.0
    door.permit().leave(DOWN)
    door.now = 15.0
    door.permit().leave(None)

    assert [one.levelname for one in caplog.records] == ["WARNING", "INFO"]


def test_names_that_come_and_go_are_forgotten() -> None:
    door = Door()
    door.fail(5, deployment("down"))
    busy = [door.permit(deployment(f"busy-{number}")) for number in range(10)]
    for number in range(20 * MOST_PLACES):
        door.permit(deployment(f"name-{number}")).leave(None)

    remembered = len(vars(door.gate)["_places"])
    assert remembered <= MOST_PLACES
    assert door.refusal(deployment("down")).reason is Reason.CIRCUIT_OPEN
    assert door.gate.taken == len(busy)


def test_what_was_learnt_of_a_deployment_that_became_another_is_forgotten() -> None:
    door = Door()
    door.fail(5)
    door.fail(5, deployment("two"))

    door.gate.forget({ONE.id})

    assert door.gate.standing(ONE.id).circuit is Circuit.CLOSED
    assert door.gate.standing("two").circuit is Circuit.OPEN


def test_a_call_that_began_before_says_nothing_of_what_it_is_now() -> None:
    door = Door()
    one = replace(ONE, max_parallel_requests=6)
    seats = [door.permit(one) for _ in range(6)]

    door.gate.forget({ONE.id})
    assert door.refusal(one).reason is Reason.LOCAL_POOL_EXHAUSTED
    for seat in seats:
        seat.leave(DOWN)

    assert door.gate.standing(ONE.id).circuit is Circuit.CLOSED
    assert door.gate.taken == 0
