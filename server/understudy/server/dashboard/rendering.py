"""Turns templates into text. Everything is escaped; a name that is missing is an error."""

from collections.abc import Mapping
from pathlib import Path
from typing import Final

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from understudy.server.dashboard.assets import Assets
from understudy.server.dashboard.formats import FILTERS
from understudy.server.readout.page import TEMPLATES

FOLDER: Final = Path(__file__).parent / "templates"


class Renderer:
    """The templates, compiled as they are first wanted."""

    def __init__(self, assets: Assets) -> None:
        self._environment = Environment(
            loader=FileSystemLoader([FOLDER, TEMPLATES]),
            autoescape=True,
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
            auto_reload=False,
        )
        self._environment.filters.update(FILTERS)
        self._assets = assets

    def render(self, template: str, values: Mapping[str, object]) -> str:
        """Return a page, or a part of one."""
        # Half a character cannot be sent: where a text holds one, `visible` has not been asked.
        text = self._environment.get_template(template).render(asset=self._assets.address, **values)
        return text.encode(errors="replace").decode()
