"""Writes what reviewers said of pairs: one verdict for each pair, whoever gave it."""

from collections import Counter, defaultdict
from collections.abc import Iterable

from understudy.server.domain.ratings import Side, Verdict
from understudy.server.evaluation.proportions import Share, proportion
from understudy.server.evaluation.win_rate import (
    Verdicts,
    decisive_win_rate,
    pairs_to_go,
    win_rate,
)
from understudy.server.reporting.pairs import Spoken
from understudy.server.reporting.sheets import Sheet


def put_opinions(sheet: Sheet, spoken: Iterable[Spoken]) -> None:
    """Add what is said of a silent model, ties as half a win, and of the reviewers themselves."""
    held = list(spoken)
    verdicts = count_pairs(held)
    sheet.count("rated", verdicts.n, verdicts.n)
    sheet.put("win_rate", win_rate(verdicts))
    sheet.put("decisive_win_rate", decisive_win_rate(verdicts))
    decisive = [one for one in held if one.verdict is not Verdict.TIE]
    first = sum(Side(one.verdict.value) is one.first_side for one in decisive)
    sheet.put("first_side_rate", proportion(Share(first, len(decisive))))
    more = pairs_to_go(verdicts)
    if more is not None:
        sheet.count("pairs_to_go", more, verdicts.n)
    if verdicts.n < len(held):
        sheet.warn(
            f"{len(held)} ratings are of {verdicts.n} pairs: a pair that several people rated "
            "counts once, as most of them said, and as a tie where none prevails"
        )


def count_pairs(spoken: Iterable[Spoken]) -> Verdicts:
    """Return on how many pairs which side prevailed, where each reviewer has one vote."""
    votes: defaultdict[str, Counter[Verdict]] = defaultdict(Counter)
    for one in spoken:
        votes[one.pair_id][one.verdict] += 1
    said = Counter(_prevailing(counts) for counts in votes.values())
    return Verdicts(said[Verdict.SILENT], said[Verdict.TIE], said[Verdict.PRIMARY])


def _prevailing(votes: Counter[Verdict]) -> Verdict:
    (first, most), *others = votes.most_common()
    return Verdict.TIE if any(count == most for _, count in others) else first
