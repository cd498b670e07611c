"""A report on a terminal: a verdict, and a table of figures with their intervals."""

from typing import Final

from rich.console import Console
from rich.rule import Rule
from rich.table import Table
from rich.text import Text

from understudy.server.cli.showing import harmless
from understudy.server.readout.instants import tell_instant
from understudy.server.readout.judging import Tone
from understudy.server.readout.sheet import Cell, Chapter, Row, Sheet

_STYLES: Final = {Tone.BETTER: "green", Tone.WORSE: "red", Tone.UNCLEAR: "", Tone.NONE: ""}
_WORDS: Final = {Tone.BETTER: " better", Tone.WORSE: " worse", Tone.UNCLEAR: "", Tone.NONE: ""}
_BROAD: Final = 110  # columns, from which on both sides have their intervals too


def show(sheet: Sheet, console: Console) -> None:
    """Print it."""
    report = sheet.report
    console.print(Text(harmless(sheet.name), "bold"))
    console.print(Text(f"{tell_instant(report.start)} to {tell_instant(report.end)} UTC", "dim"))
    _show_caveats(report.caveats, console)
    if not sheet.chapters:
        console.print("Nothing to report in this window.", style="dim")
    for chapter in sheet.chapters:
        _show_chapter(chapter, console)
    if sheet.chapters:
        told = "Intervals, in parentheses, are of 95 %; n is what they rest on."
        console.print(Text(f"\n{told}", "dim"))


def _show_chapter(chapter: Chapter, console: Console) -> None:
    console.print()
    console.print(Rule(Text(harmless(chapter.title)), align="left", style="dim"))
    console.print(Text(harmless(chapter.verdict), "bold"))
    _show_caveats(chapter.caveats, console)
    is_broad = console.width >= _BROAD
    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("", overflow="fold")
    for name in (chapter.baseline, chapter.subject, "difference", "n"):
        table.add_column(Text(harmless(name)), justify="right", overflow="fold")
    for one in chapter.tables:
        table.add_row(Text(one.topic.value, "dim underline"))
        for row in one.rows:
            table.add_row(*_cells(row, is_broad=is_broad))
    if chapter.tables:
        console.print()
        console.print(table)
    for told in chapter.absent:
        console.print(Text(harmless(told), "dim"))


def _cells(row: Row, *, is_broad: bool) -> tuple[Text, ...]:
    shown = row.difference or row.subject or row.baseline
    # Where there is a difference, its interval is what matters.
    is_whole = is_broad or row.difference is None
    return (
        Text(f"  {harmless(row.title)}"),
        _cell(row.baseline, is_whole=is_whole),
        _cell(row.subject, is_whole=is_whole),
        _cell(row.difference, is_whole=True),
        Text(shown.n if shown is not None else "", "dim"),
    )


def _cell(cell: Cell | None, *, is_whole: bool) -> Text:
    if cell is None:
        return Text()
    if not cell.value:
        return Text(cell.note, "dim italic") if is_whole else Text("\u2013", "dim")
    text = Text(cell.value, _STYLES[cell.tone])
    if cell.range and is_whole:
        text.append(f" ({cell.range})", "dim")
    text.append(_WORDS[cell.tone])
    if cell.note and is_whole:
        text.append(f"\n{cell.note}", "dim")
    return text


def _show_caveats(caveats: tuple[str, ...], console: Console) -> None:
    for one in caveats:
        console.print(Text(f"! {harmless(one)}", "yellow"))
