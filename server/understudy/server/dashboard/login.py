"""Logging in by an API key, and out again. The key is compared, and not kept."""

import asyncio
from typing import Final

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from understudy.server.dashboard import calls
from understudy.server.dashboard.cookies import Cookies
from understudy.server.dashboard.house import House
from understudy.server.dashboard.rendering import Renderer
from understudy.server.dashboard.sessions import Sessions
from understudy.server.dashboard.throttle import Throttle
from understudy.server.dashboard.visit import read_form
from understudy.server.errors import AccessError, Reason

_HESITATION: Final = 0.5  # seconds after a key that is none
_STALE: Final = "this form is from before a restart, or of another browser; try again"


class Login:
    """The page that asks for a key, and what it is sent to."""

    def __init__(
        self,
        house: House,
        renderer: Renderer,
        sessions: Sessions,
        cookies: Cookies,
        throttle: Throttle,
    ) -> None:
        self._house = house
        self._renderer = renderer
        self._sessions = sessions
        self._cookies = cookies
        self._throttle = throttle

    async def ask(self, request: Request) -> Response:
        """Show the page."""
        if self._house.access.is_open:
            return RedirectResponse("/", 303)
        return self._page(request, _inside(request.query_params.get("to", "/")))

    async def enter(self, request: Request) -> Response:
        """Compare a key; begin a session. Raises RequestError for what is no form."""
        form = await read_form(request)
        to = _inside(form.get("to"))
        token = self._cookies.read(request)
        if not self._sessions.is_proof(token, form.get("token")):
            return self._page(request, to, _STALE, 403)
        address = request.client.host if request.client else ""
        if wait := self._throttle.wait(address):
            told = f"too many keys that are none; try again in {wait:.0f} s"
            answer = self._page(request, to, told, 429)
            answer.headers["retry-after"] = f"{wait + 1:.0f}"
            return answer
        metadata = (("authorization", f"Bearer {form.get('key').strip()}"),)
        try:
            identity = self._house.access.admit(calls.LIST_EXPERIMENTS, metadata, {})
        except AccessError as error:
            self._throttle.fail(address)
            await asyncio.sleep(_HESITATION)
            told = "this key is not known here"
            if error.reason is Reason.ROLE_MISSING:
                told = "this key is for asking models; pages need one with the role 'viewer'"
            return self._page(request, to, told, 403)
        self._sessions.end(token)
        answer = RedirectResponse(to, 303)
        # A token that was there before the key was could be somebody else's too.
        self._cookies.write(answer, self._sessions.begin(identity))
        return answer

    async def leave(self, request: Request) -> Response:
        """End the session."""
        form = await read_form(request)
        token = self._cookies.read(request)
        if self._sessions.is_proof(token, form.get("token")):
            self._sessions.end(token)
        answer = RedirectResponse("/login", 303)
        self._cookies.clear(answer)
        return answer

    def _page(self, request: Request, to: str, told: str = "", status: int = 200) -> Response:
        token = self._cookies.read(request)
        fresh = "" if token else self._sessions.new_token()
        text = self._renderer.render(
            "login.html",
            {"identity": None, "token": self._sessions.proof(token or fresh), "to": to,
             "told": told, "nav": (), "here": "/login", "is_open": False, "is_away": False},
        )  # fmt: skip
        answer = Response(text, status, media_type="text/html")
        if fresh:
            self._cookies.write(answer, fresh)
        return answer


def _inside(path: str) -> str:
    """Return a path of the dashboard's own, whatever was asked for."""
    is_path = path.startswith("/") and not path.startswith("//") and path.isprintable()
    return path if is_path and "\\" not in path else "/"
