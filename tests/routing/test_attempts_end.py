"""However a snapshot is made, asking one deployment after the other ends."""

from random import Random

from hypothesis import given
from hypothesis import strategies as st

from understudy.server.domain.deployment import Deployment
from understudy.server.errors import Reason
from understudy.server.routing.attempts import (
    REMEDIES,
)

from .making import deployment, snapshot
from .test_attempts import tour

deployments = st.lists(
    st.builds(
        deployment,
        st.uuids().map(str),
        st.sampled_from([None, 0, 1, 5]),
        group=st.sampled_from(["a", "b", "c"]),
        order=st.sampled_from([None, 1, 2]),
    ),
    min_size=1,
    max_size=8,
)


@given(
    deployments,
    st.integers(0, 3),
    st.dictionaries(
        st.sampled_from(["a", "b", "c", "*"]),
        st.lists(st.sampled_from(["a", "b", "c"])).map(tuple),
    ),
    st.sampled_from(sorted(REMEDIES)),
    st.randoms(use_true_random=False),
)
def test_every_tour_ends_and_asks_nobody_of_weight_zero(
    made: list[Deployment],
    num_retries: int,
    fallbacks: dict[str, tuple[str, ...]],
    reason: Reason,
    random: Random,
) -> None:
    present = {one.group for one in made}
    known = {
        name: tuple(group for group in groups if group in present)
        for name, groups in fallbacks.items()
    }
    live = snapshot(*made, num_retries=num_retries, fallbacks=known)
    start = made[0].group
    if not any(any(tier.weights) for tier in live.groups[start].tiers):
        return

    asked = tour(live, reason, start, random.random())

    assert len(asked) <= 3 * 2 * (num_retries + 1) + len(made)
    assert all(one.weight != 0 for one in made if one.id in asked)
