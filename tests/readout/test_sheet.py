"""A report in order: its verdict, what is better or worse, and that no name of it is markup."""

import re

import pytest

from understudy.server.domain.estimates import Insufficient, Interval, Lack, Method
from understudy.server.domain.reports import Section
from understudy.server.readout.judging import Tone
from understudy.server.readout.lacking import tell_lack
from understudy.server.readout.markdown import escape, write_markdown
from understudy.server.readout.page import write_page
from understudy.server.readout.sheet import Chapter, Row, arrange
from understudy.server.readout.wordings import BASELINE, DIFFERENCE, Topic, find_wording
from understudy.server.reporting.metrics import METRICS

from ..cli.test_report import Page
from .samples import HOSTILE, broken_down, compared, count, figures, hostile, interval, report


def tell(metric: str) -> str:
    return f"what {metric} means"


def chapter(section: Section) -> Chapter:
    (found,) = arrange(report([section]), tell).chapters
    return found


def row(found: Chapter, stem: str) -> Row:
    return next(one for table in found.tables for one in table.rows if one.stem == stem)


def test_the_verdict_says_how_many_how_fast_how_dear_and_how_well() -> None:
    assert chapter(compared()).verdict == (
        "gpt-4 answered 4,812 of 5,000 mirrored requests; 1.80 \u00d7 slower (1.71 … 1.89); "
        "$2.10 more per 1,000 (2.00 … 2.20); no clear difference in errors; reviewers prefer it: "
        "it wins 60.0 % (50.2 … 69.8)."
    )


def test_what_is_faster_and_cheaper_is_said_the_other_way_round() -> None:
    section = Section(
        subject="b",
        baseline="a",
        figures=figures(
            requests=count(10),
            answered=count(9),
            latency_ratio=interval(0.5, 0.4, 0.8),
            cost_per_1000_difference=interval(-2.0, -3.0, -1.0),
            error_rate_difference=interval(0.05, 0.02, 0.08),
            win_rate=interval(0.5, 0.4, 0.6),
        ),
    )

    assert chapter(section).verdict == (
        "b answered 9 of 10 requests; 2.0 \u00d7 faster (1.2 … 2.5); $2.00 less per 1,000 "
        "(1.00 … 3.00); +5.0 points of errors (+2.0 … +8.0); reviewers prefer neither clearly: "
        "it wins 50.0 % (40.0 … 60.0)."
    )


def test_where_nothing_came_nothing_is_said() -> None:
    section = Section(subject="b", baseline="", figures=figures(offered=count(0)))

    found = chapter(section)

    assert found.title == "b"
    assert found.verdict == "b: nothing to compare yet."
    assert not found.tables
    assert not found.absent


def test_where_nothing_was_mirrored_the_verdict_points_at_why() -> None:
    found = chapter(
        Section(
            subject="b",
            baseline="a",
            figures=figures(
                offered=count(0),
                not_mirrored=count(20),
                not_mirrored_deployment_unusable=count(20),
            ),
        )
    )

    assert found.verdict == "b: none of 20 requests was mirrored; see why below."
    why = row(found, "not_mirrored_deployment_unusable")
    assert why.title == "not mirrored: deployment unusable"


def test_an_interval_with_no_difference_in_it_is_neither_better_nor_worse() -> None:
    found = chapter(compared())

    cells = {
        stem: row(found, stem).difference for stem in ("latency_p50", "latency_ratio", "error_rate")
    }
    assert {stem: cell.tone for stem, cell in cells.items() if cell} == {
        "latency_p50": Tone.WORSE,
        "latency_ratio": Tone.WORSE,
        "error_rate": Tone.UNCLEAR,
    }
    wins = row(found, "win_rate").subject
    assert wins is not None
    assert wins.tone is Tone.BETTER


def test_what_never_happened_and_what_is_not_known_take_no_row() -> None:
    section = Section(
        subject="b",
        baseline="a",
        figures=figures(
            offered=count(30),
            paired=count(0),
            lost=count(0),
            latency_ratio=Insufficient(12, 30),
            cost_ratio=Insufficient(0, 30),
            cost_per_1000_difference=Insufficient(0, 30),
        ),
    )

    found = chapter(section)

    assert [one.stem for table in found.tables for one in table.rows] == ["offered", "paired"]
    assert found.absent == (
        "Too little data yet: time to the whole answer (12 of 30 needed).",
        "Nothing recorded of: cost, cost per 1000 difference.",
    )


def test_the_only_epoch_is_not_told_twice() -> None:
    whole = Section(subject="b", baseline="a", figures=figures(requests=count(3)))
    first, second = (
        Section(subject="b", baseline="a", epoch=number, figures=whole.figures) for number in (1, 2)
    )

    assert len(arrange(report([whole, first]), tell).chapters) == 1
    assert len(arrange(report([whole, first, second]), tell).chapters) == 3


def test_one_section_is_drawn_by_its_ratios_and_several_side_by_side() -> None:
    (alone,) = arrange(report(), tell).forests
    beside = arrange(broken_down(), tell).forests

    assert [mark.label for mark in alone.marks] == ["time to the whole answer"]
    assert all(len(one.marks) == 3 for one in beside)
    assert len(beside) == 4
    for forest in (alone, *beside):
        for mark in forest.marks:
            assert 0 <= mark.low <= mark.at <= mark.high <= 100
        assert 0 <= forest.null <= 100
        places = [x for x, _ in forest.ticks]
        assert places == sorted(places)


@pytest.mark.parametrize("metric", sorted(METRICS))
def test_every_figure_of_a_report_has_words_of_its_own(metric: str) -> None:
    stem = metric.removesuffix("_bounds").removesuffix(DIFFERENCE).removesuffix(BASELINE)

    assert find_wording(stem).topic is not Topic.OTHER


@pytest.mark.parametrize("why", list(Lack))
def test_every_lack_has_words(why: Lack) -> None:
    assert tell_lack(Insufficient(3, 30, why))
    assert tell_lack(Insufficient(0, None, why))


def test_a_page_is_well_formed_and_every_name_in_it_is_text() -> None:
    for one in (report(), broken_down(), hostile(), report([])):
        page = Page()
        text = write_page(arrange(one, tell))
        page.feed(text)
        page.close()
        assert not page.open
        assert not page.asks
        assert "script" not in page.seen
        assert "\x1b" not in text
        assert "\u202e" not in text


def test_a_name_is_text_in_markdown_too() -> None:
    shown = escape(HOSTILE)

    assert not re.search(r"(?<!\\)[<>|*\[\]`]", shown)
    assert "@" not in shown
    assert "://" not in shown
    assert "\x1b" not in shown
    text = write_markdown(arrange(hostile(), tell))
    rows = [line for line in text.splitlines() if line.startswith("|")]
    assert {len(re.findall(r"(?<!\\)\|", line)) for line in rows} == {6}


def test_a_method_is_told_where_there_is_an_interval() -> None:
    cell = row(chapter(compared()), "latency_p50").difference

    assert cell is not None
    assert cell.method == Method.PAIRED_T.value
    assert isinstance(interval(1, 0, 2), Interval)
