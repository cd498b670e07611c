"""Puts a report in order: each section a verdict, and rows of figures by what they are about. Pure.

How it looks is for `markdown`, `page`, and the terminal.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import groupby
from typing import Final

from understudy.server.domain.estimates import Insufficient, Interval
from understudy.server.domain.reports import Figure, Report, Section
from understudy.server.readout.amounts import write_count, write_range, write_value
from understudy.server.readout.judging import Tone, judge, of_difference
from understudy.server.readout.lacking import tell_briefly
from understudy.server.readout.plots import Forest, Strip, draw_strip, plot
from understudy.server.readout.verdicts import is_without_data, tell_verdict
from understudy.server.readout.wordings import (
    BASELINE,
    BOUNDS,
    DIFFERENCE,
    Form,
    Topic,
    Wording,
    find_wording,
)

# Counts that are told also where they are 0.
_ALWAYS: Final = frozenset({"offered", "paired", "requests", "answered"})
_ALL_AND_ONE: Final = 2


@dataclass(frozen=True, slots=True)
class Cell:
    """A figure in words. `value` is empty where there is none, and `note` says why.

    `range` is its interval, empty where there is no uncertainty; `n` what it rests on.
    """

    value: str
    range: str = ""
    n: str = ""
    note: str = ""
    method: str = ""
    tone: Tone = Tone.NONE
    strip: Strip | None = None


@dataclass(frozen=True, slots=True)
class Row:
    """What is measured: of the subject, of the baseline, and by how much they differ."""

    stem: str
    title: str
    meaning: str
    subject: Cell | None = None
    baseline: Cell | None = None
    difference: Cell | None = None


@dataclass(frozen=True, slots=True)
class Table:
    """Rows about one topic. `is_compared` says whether anything in it differs, or might."""

    topic: Topic
    rows: tuple[Row, ...]
    is_compared: bool


@dataclass(frozen=True, slots=True)
class Chapter:
    """A section in order. `verdict` is one line; `absent` are sentences on what is not known."""

    title: str
    subject: str
    baseline: str
    verdict: str
    tables: tuple[Table, ...]
    absent: tuple[str, ...]
    caveats: tuple[str, ...]
    number: int


@dataclass(frozen=True, slots=True)
class Sheet:
    """A report in order."""

    report: Report
    name: str
    chapters: tuple[Chapter, ...]
    forests: tuple[Forest, ...]


def arrange(report: Report, tell: Callable[[str], str]) -> Sheet:
    """Return a report in order. `tell` says what a metric means."""
    sections = _leave_out_copies(report.sections)
    chapters = tuple(
        _arrange(one, number, report.group_by, tell) for number, one in enumerate(sections)
    )
    names = [one.title for one in chapters]
    return Sheet(report, tell_name(report.parent), chapters, plot(sections, names))


def tell_name(parent: str) -> str:
    """Return what a report is about, for people."""
    kind, _, name = parent.partition("/")
    return f"{'Experiment' if kind == 'experiments' else 'Silent model'} {name}"


def _leave_out_copies(sections: tuple[Section, ...]) -> tuple[Section, ...]:
    """Leave out the only epoch where all epochs together, which it is, are there too."""
    epochs = {one.epoch for one in sections}
    if 0 in epochs and len(epochs) == _ALL_AND_ONE:
        return tuple(one for one in sections if not one.epoch)
    return sections


def _arrange(section: Section, number: int, group_by: str, tell: Callable[[str], str]) -> Chapter:
    figures = {one.metric: one for one in section.figures}
    stems = list(dict.fromkeys(_stem(one, figures) for one in figures))
    rows = [(find_wording(stem), _row(stem, figures, tell)) for stem in stems]
    order = list(Topic)
    rows.sort(key=lambda row: order.index(row[0].topic))  # stable: within one as they come
    known = [(wording, row) for wording, row in rows if any(one.value for one in _cells(row))]
    told = [(wording, row) for wording, row in known if not _is_nothing(wording, row)]
    tables = [
        _table(topic, tuple(row for _, row in some))
        for topic, some in groupby(told, key=lambda row: row[0].topic)
    ]
    is_empty = is_without_data(figures)
    return Chapter(
        _title(section, group_by),
        section.subject,
        section.baseline,
        tell_verdict(section.subject, section.baseline, figures),
        () if is_empty else tuple(tables),
        () if is_empty else tuple(_tell_absent(row for row in rows if row not in known)),
        section.caveats,
        number,
    )


def _title(section: Section, group_by: str) -> str:
    against = f" against {section.baseline}" if section.baseline else ""
    parts = [f"{section.subject}{against}"]
    if group_by:
        told = section.group or "none"
        parts.append(f"{group_by.removeprefix('metadata.')} {told}")
    if section.epoch:
        parts.append(f"epoch {section.epoch}")
    return ", ".join(parts)


def _stem(metric: str, known: Mapping[str, Figure]) -> str:
    metric = metric.removesuffix(BOUNDS)
    for suffix in (BASELINE, DIFFERENCE):
        # A reason may be called so too, and is none of a pair then.
        if metric.endswith(suffix) and metric.removesuffix(suffix) in known:
            return metric.removesuffix(suffix)
    return metric


def _table(topic: Topic, rows: tuple[Row, ...]) -> Table:
    return Table(topic, rows, any(one.baseline or one.difference for one in rows))


def _cells(row: Row) -> Iterator[Cell]:
    """Yield what there is, what matters most first."""
    yield from filter(None, (row.difference, row.subject, row.baseline))


def _is_nothing(wording: Wording, row: Row) -> bool:
    """Whether a row counts what has never happened, and nobody expects."""
    is_count = wording.form is Form.COUNT and row.stem not in _ALWAYS
    return is_count and all(one.value in ("0", "") for one in _cells(row))


def _tell_absent(rows: Iterable[tuple[Wording, Row]]) -> Iterator[str]:
    few: list[str] = []
    none: list[str] = []
    for wording, row in rows:
        cell = next(_cells(row))
        if cell.n == "0":
            none.append(wording.title)
        else:
            few.append(f"{wording.title} ({cell.note})")
    if few:
        yield f"Too little data yet: {', '.join(few)}."
    if none:
        yield f"Nothing recorded of: {', '.join(none)}."


def _row(stem: str, figures: Mapping[str, Figure], tell: Callable[[str], str]) -> Row:
    wording = find_wording(stem)
    own = _cell(figures.get(stem), wording, figures.get(stem + BOUNDS))
    if wording.form is Form.RATIO:  # of nothing but both
        return Row(stem, wording.title, tell(stem), difference=own)
    more = figures.get(stem + DIFFERENCE)
    return Row(
        stem,
        wording.title,
        tell(stem),
        own,
        _cell(figures.get(stem + BASELINE), wording),
        _cell(more, of_difference(wording), figures.get(stem + DIFFERENCE + BOUNDS)),
    )


def _cell(figure: Figure | None, wording: Wording, bounds: Figure | None = None) -> Cell | None:
    if figure is None:
        return None
    found = figure.found
    if isinstance(found, Insufficient):
        return Cell("", note=tell_briefly(found), n=write_count(found.n))
    signed = wording.null == 0.0
    note = ""
    if bounds is not None and isinstance(bounds.found, Interval):
        whole = write_range(bounds.found, figure.unit, wording.form, signed=signed)
        note = f"{whole} whatever the missing are" if whole else ""
    is_exact = found.low == found.high
    return Cell(
        write_value(found, figure.unit, wording.form, signed=signed),
        write_range(found, figure.unit, wording.form, signed=signed),
        "" if is_exact else write_count(found.n),
        note,
        "" if is_exact else found.method.value,
        judge(found, wording),
        None if wording.null is None or is_exact else draw_strip(found, wording),
    )
