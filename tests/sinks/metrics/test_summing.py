"""Several processes count together, and none that dies takes a count with it."""

from hypothesis import given
from hypothesis import strategies as st

from understudy.server.sinks.metrics import Reading, Summing, families
from understudy.server.sinks.metrics.families import BY_NAME, Kind
from understudy.server.sinks.metrics.readings import Sample, Spread, sample
from understudy.server.sinks.metrics.summing import MOST_SETS

PLACES = len(families.LOOP_DELAY.bounds) + 1


def make_reading(opinions: int, late: int, depth: int) -> Reading:
    return Reading(
        (sample(families.FEEDBACK, opinions), sample(families.MIRROR_QUEUED, depth)),
        (Spread(families.LOOP_DELAY.name, (), (late,) * PLACES, late * 5),),
    )


READINGS = st.builds(
    make_reading, st.integers(0, 2**60), st.integers(0, 2**40), st.integers(0, 1000)
)


def find(reading: Reading, family: families.Family, *labels: str) -> int | None:
    found = [
        one.value for one in reading.samples if (one.family, one.labels) == (family.name, labels)
    ]
    assert len(found) < 2, "the same series twice"
    return found[0] if found else None


@given(st.lists(READINGS, min_size=1, max_size=5))
def test_counts_gauges_and_histograms_are_added(parts: list[Reading]) -> None:
    summing: Summing[int] = Summing()

    for at, part in enumerate(parts):
        summing.put(at, part)

    whole = summing.total
    for family in (families.FEEDBACK, families.MIRROR_QUEUED):
        assert find(whole, family) == sum(find(one, family) or 0 for one in parts)
    (late,) = whole.spreads
    assert late.total == sum(one.spreads[0].total for one in parts)
    assert sum(late.counts) == sum(sum(one.spreads[0].counts) for one in parts)


@given(st.lists(st.tuples(st.integers(0, 2), READINGS, st.booleans()), max_size=30))
def test_counters_never_go_back_whoever_dies(life: list[tuple[int, Reading, bool]]) -> None:
    summing: Summing[tuple[int, int]] = Summing()
    lives, counted, seen = [0, 0, 0], [0, 0, 0], 0

    for worker, reading, dies in life:
        counted[worker] += find(reading, families.FEEDBACK) or 0
        own = Reading(
            (sample(families.FEEDBACK, counted[worker]), sample(families.MIRROR_QUEUED, 7))
        )
        summing.put((worker, lives[worker]), own)
        if dies:
            summing.retire((worker, lives[worker]))
            lives[worker], counted[worker] = lives[worker] + 1, 0
        now = find(summing.total, families.FEEDBACK) or 0
        assert now >= seen
        seen = now

    assert seen == sum(find(reading, families.FEEDBACK) or 0 for _, reading, _ in life)


def test_of_a_worker_that_died_no_gauge_is_left() -> None:
    summing: Summing[str] = Summing()
    summing.put("a", Reading((sample(families.MIRROR_QUEUED, 7), sample(families.FEEDBACK, 1))))

    summing.retire("a")
    summing.retire("never seen")

    assert find(summing.total, families.MIRROR_QUEUED) is None
    assert find(summing.total, families.FEEDBACK) == 1


def test_states_are_the_worst_and_revisions_the_oldest() -> None:
    summing: Summing[int] = Summing()
    for at, (revision, away, lag) in enumerate([(5, 0, 10), (4, 1, 90)]):
        summing.put(
            at,
            Reading(
                (
                    sample(families.REVISION, revision),
                    sample(families.RECORDER_AWAY, away),
                    sample(families.SINK_LAG, lag, "otel"),
                )
            ),
        )

    whole = summing.total

    assert find(whole, families.REVISION) == 4
    assert find(whole, families.RECORDER_AWAY) == 1
    assert find(whole, families.SINK_LAG, "otel") == 90


def test_however_many_workers_die_the_series_are_bounded() -> None:
    summing: Summing[int] = Summing()

    for at in range(30):
        labels = ((f"{at}-{name}", "e", "v") for name in range(500))
        summing.put(at, Reading(tuple(Sample(families.REQUESTS.name, one, 1) for one in labels)))
        summing.retire(at)

    whole = summing.total
    assert len(whole.samples) == MOST_SETS + 1
    assert sum(one.value for one in whole.samples) == 30 * 500


def test_every_name_says_how_it_is_added() -> None:
    assert len(BY_NAME) == len(families.FAMILIES)
    for one in families.FAMILIES:
        assert bool(one.bounds) == (one.kind is Kind.HISTOGRAM)
