"""Who spent how much: the ledgers add up, and what is unknown is counted rather than added."""

from hypothesis import given
from hypothesis import strategies as st

from understudy.server.domain.costs import Cost, CostReason, CostStatus, PerHour
from understudy.server.domain.estimates import Interval, Method
from understudy.server.domain.records import Role
from understudy.server.evaluation.projections import HOUR, break_even, rent_per_call
from understudy.server.pricing.ledgers import Ledger, keep_ledgers, total

from .prices import priced

KNOWN = st.builds(
    Cost,
    st.integers(0, 2**63 - 1),
    st.sampled_from([CostStatus.EXACT, CostStatus.ESTIMATED]),
)
UNKNOWN = st.just(Cost(None, CostStatus.UNKNOWN, CostReason.NO_PRICE))
ENTRIES = st.lists(st.tuples(st.sampled_from(Role), KNOWN | UNKNOWN))


@given(ENTRIES)
def test_the_ledgers_add_up_to_the_total(entries: list[tuple[Role, Cost]]) -> None:
    whole = total(keep_ledgers(entries))

    assert whole.nano_usd == sum(cost.nano_usd or 0 for _, cost in entries)
    assert whole.calls == len(entries)
    assert whole.unknown == sum(cost.nano_usd is None for _, cost in entries)


@given(ENTRIES, ENTRIES)
def test_ledgers_of_parts_add_up_to_those_of_the_whole(
    some: list[tuple[Role, Cost]], others: list[tuple[Role, Cost]]
) -> None:
    parts, more = keep_ledgers(some), keep_ledgers(others)

    joined = {
        role: parts.get(role, Ledger()) + more.get(role, Ledger()) for role in {*parts, *more}
    }

    assert joined == keep_ledgers([*some, *others])


def test_a_silent_model_does_not_spend_the_primary_s_money() -> None:
    ledgers = keep_ledgers(
        [
            (Role.PRIMARY, Cost(5, CostStatus.EXACT)),
            (Role.SILENT, Cost(7, CostStatus.ESTIMATED)),
            (Role.SILENT, Cost(None, CostStatus.UNKNOWN)),
        ]
    )

    assert ledgers == {
        Role.PRIMARY: Ledger(5, exact=1),
        Role.SILENT: Ledger(7, estimated=1, unknown=1),
    }
    assert total({}) == Ledger()


def test_an_hour_at_3_60_with_a_thousand_calls_makes_0_0036_each() -> None:
    rent = PerHour(36 * 10**17)
    paid = Interval(3_600_000, 3_000_000, 4_500_000, 1_000, Method.T)

    each = rent_per_call(rent.nano_usd, HOUR, 1_000)
    worth_it = break_even(rent.nano_usd, paid)

    assert priced(rent).periods[0].day[0][1] == rent
    assert each == 3_600_000
    assert isinstance(worth_it, Interval)
    assert worth_it.estimate == 1_000
