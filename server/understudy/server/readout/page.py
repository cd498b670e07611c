"""A report as a page of HTML that needs nothing else: no script, nothing from elsewhere."""

from pathlib import Path
from typing import Final

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from understudy.server.readout.instants import tell_instant
from understudy.server.readout.sheet import Sheet
from understudy.server.readout.visible import visible

TEMPLATES: Final = Path(__file__).parent / "templates"
STATIC: Final = Path(__file__).parent / "static"


def write_page(sheet: Sheet) -> str:
    """Return the page. Whatever stands in a report is text in it."""
    environment = Environment(
        loader=FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["visible"] = visible
    text = environment.get_template("report_page.html").render(
        sheet=sheet,
        begin=tell_instant(sheet.report.start),
        end=tell_instant(sheet.report.end),
        made=tell_instant(sheet.report.created),
        ground=_read("ground.css"),
        style=_read("report.css"),
    )
    # Half a character cannot be written.
    return text.encode(errors="replace").decode().lstrip()


def _read(name: str) -> Markup:
    return Markup((STATIC / name).read_text())
