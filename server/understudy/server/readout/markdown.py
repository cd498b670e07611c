"""A report as Markdown, fit for a pull request: a verdict and a table for each section. Pure."""

from collections.abc import Iterator
from typing import Final

from understudy.server.readout.instants import tell_instant
from understudy.server.readout.judging import Tone
from understudy.server.readout.sheet import Cell, Chapter, Row, Sheet
from understudy.server.readout.visible import visible

_MARKS: Final = {Tone.BETTER: " 🟢", Tone.WORSE: " 🔴", Tone.UNCLEAR: " ⚪", Tone.NONE: ""}
# What Markdown, or GitHub's, makes something of: markup, mentions, issues and addresses.
_MARKUP: Final = str.maketrans(
    {one: f"\\{one}" for one in "\\`*_[]<>|~$"}
    # A backslash does not keep these from being a mention, an issue, or an entity.
    | {one: f"&#{ord(one)};" for one in "@#&"}
    | {"\n": " ", "\t": " "}
)


def write_markdown(sheet: Sheet) -> str:
    """Return the text, which ends with a line end."""
    return "\n".join(_write(sheet)) + "\n"


def escape(text: str) -> str:
    """Return a text as Markdown that shows it, whatever is in it, in one line."""
    shown = visible(text).translate(_MARKUP)
    return shown.replace("://", "&#58;//").replace("www.", "www&#46;")


def _write(sheet: Sheet) -> Iterator[str]:
    report = sheet.report
    yield f"## {escape(sheet.name)}"
    yield ""
    yield f"{tell_instant(report.start)} to {tell_instant(report.end)} UTC"
    yield from _write_caveats(report.caveats)
    if not sheet.chapters:
        yield from ("", "Nothing to report in this window.")
    for chapter in sheet.chapters:
        yield from _write_chapter(chapter)
    yield ""
    yield f"<sub>Intervals of 95 %. Made {tell_instant(report.created)} UTC by Understudy.</sub>"


def _write_chapter(chapter: Chapter) -> Iterator[str]:
    yield ""
    yield f"### {escape(chapter.title)}"
    yield ""
    yield f"**{escape(chapter.verdict)}**"
    yield from _write_caveats(chapter.caveats)
    if not chapter.tables:
        return
    yield ""
    yield f"| | {escape(chapter.baseline)} | {escape(chapter.subject)} | difference | n |"
    yield "|---|---:|---:|---:|---:|"
    for table in chapter.tables:
        yield from map(_write_row, table.rows)
    for one in chapter.absent:
        yield from ("", escape(one))


def _write_row(row: Row) -> str:
    n = next((one.n for one in (row.difference, row.subject, row.baseline) if one and one.n), "")
    # A difference that is unknown has the same cause as a figure that is.
    more = row.difference
    cells = [
        escape(row.title),
        _write_cell(row.baseline, short=more is not None),
        _write_cell(row.subject, short=more is not None),
        _write_cell(more, short=False),
        n,
    ]
    return f"| {' | '.join(cells)} |"


def _write_cell(cell: Cell | None, *, short: bool) -> str:
    if cell is None:
        return ""
    if not cell.value:
        return "\u2013" if short else escape(cell.note)
    told = escape(cell.value)
    if cell.range and not short:
        told += f" ({escape(cell.range)})"
    if cell.note and not short:
        told += f"; {escape(cell.note)}"
    return told + _MARKS[cell.tone]


def _write_caveats(caveats: tuple[str, ...]) -> Iterator[str]:
    if caveats:
        yield ""
    for one in caveats:
        yield f"- ⚠️ {escape(one)}"
