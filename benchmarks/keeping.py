"""What a run leaves behind: a table to read, a plot to look at, and the raw samples."""

import csv
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from pathlib import Path

from rich.console import Console
from rich.table import Column, Table

_WIDTH, _BAR, _GAP, _LABEL = 760, 22, 10, 260


@dataclass(frozen=True, slots=True)
class Row:
    """One line: what was measured, its figures as shown, the one to plot, the raw samples."""

    name: str
    figures: Sequence[str]
    plotted: float
    samples: Sequence[float] = ()


def keep(
    console: Console,
    name: str,
    title: str,
    note: str,
    heads: Sequence[str],
    rows: Sequence[Row],
    folder: str | None,
) -> None:
    """Print the table; with a folder, write it there as Markdown with its plot and samples.

    What is plotted is the second figure: heads[1] names it.
    """
    table = Table(Column("", no_wrap=True), title=title)
    for head in heads:
        table.add_column(head, justify="right")
    for row in rows:
        table.add_row(row.name, *row.figures)
    console.print(note)
    console.print(table)
    if folder is None:
        return
    place = Path(folder)
    place.mkdir(parents=True, exist_ok=True)
    (place / f"{name}.md").write_text(write_markdown(title, note, heads, rows))
    (place / f"{name}.svg").write_text(draw(f"{title}: {heads[1]}", rows))
    with (place / f"{name}.csv").open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["subject", "seconds"])
        for row in rows:
            writer.writerows([row.name, f"{one:.6f}"] for one in row.samples)
    console.print(f"kept in {place}: {name}.md, {name}.svg, {name}.csv")


def write_markdown(title: str, note: str, heads: Sequence[str], rows: Sequence[Row]) -> str:
    """Return the table as Markdown."""
    lines = [
        f"**{title}**  ",
        note,
        "",
        f"| | {' | '.join(heads)} |",
        f"|---|{'---:|' * len(heads)}",
        *(f"| {row.name} | {' | '.join(row.figures)} |" for row in rows),
    ]
    return "\n".join(lines) + "\n"


def draw(title: str, rows: Sequence[Row]) -> str:
    """Return one bar for each row, as an SVG of its own."""
    longest = max([row.plotted for row in rows] + [1e-9])
    room = _WIDTH - _LABEL - 80
    parts: list[str] = []
    for at, row in enumerate(rows):
        top = 40 + at * (_BAR + _GAP)
        width = max(0.0, row.plotted) / longest * room
        middle = top + _BAR * 0.7
        parts += [
            f'<text x="{_LABEL - 10}" y="{middle:.0f}" text-anchor="end">{escape(row.name)}</text>',
            f'<rect x="{_LABEL}" y="{top}" width="{width:.1f}" height="{_BAR}" rx="3"/>',
            f'<text x="{_LABEL + width + 8:.1f}" y="{middle:.0f}">{row.plotted:.3g}</text>',
        ]
    height = 50 + len(rows) * (_BAR + _GAP)
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {height}" '
        f'font-family="system-ui, sans-serif" font-size="13" fill="#334">'
        f'<rect width="100%" height="100%" fill="#fff"/>'
        f'<text x="12" y="24" font-weight="600">{escape(title)}</text>'
        f"<g>{''.join(parts)}</g>"
        "<style>g rect { fill: #4666b8 }</style></svg>\n"
    )
