"""Counts what browsers refused to do for our policy's sake. There should never be any."""

import logging
from typing import Final

from starlette.requests import Request
from starlette.responses import Response

_LOGGED: Final = 10  # reports; a page that goes wrong sends one each time it is looked at
_LONGEST: Final = 500  # characters of one that are logged

_LOG = logging.getLogger(__name__)


class Reports:
    """How many there were."""

    def __init__(self) -> None:
        self.count = 0

    async def take(self, request: Request) -> Response:
        """Take a browser's report."""
        body = await request.body()
        self.count += 1
        if self.count <= _LOGGED:
            told = ascii(body[:_LONGEST].decode(errors="replace"))
            _LOG.warning("a browser refused part of a page of the dashboard: %s", told)
        return Response(status_code=204)
