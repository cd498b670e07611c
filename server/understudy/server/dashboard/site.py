"""The application: each page behind who may see it, with the doors before all of them."""

import time
from collections.abc import Awaitable, Callable, Sequence
from typing import Final
from urllib.parse import quote

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from understudy.server.dashboard.assets import Assets
from understudy.server.dashboard.bounds import Bounds
from understudy.server.dashboard.cookies import Cookies
from understudy.server.dashboard.doors import REPORTS, Doors
from understudy.server.dashboard.faults import own_fault, status_of, title_of
from understudy.server.dashboard.hosts import Hosts
from understudy.server.dashboard.house import House
from understudy.server.dashboard.login import Login
from understudy.server.dashboard.page import NavEntry, Page
from understudy.server.dashboard.rendering import Renderer
from understudy.server.dashboard.reports import Reports
from understudy.server.dashboard.sessions import Sessions
from understudy.server.dashboard.throttle import Throttle
from understudy.server.dashboard.visit import Visit
from understudy.server.domain.access import Identity
from understudy.server.errors import AccessError, Reason, UnderstudyError

_FOR_EVER: Final = "public, max-age=31536000, immutable"
_STALE: Final = (
    "this form did not come from a page of this dashboard as it is now; go back, reload the page, "
    "and send it again"
)


class Site:
    """Makes the application. `reports` counts what browsers refused."""

    def __init__(
        self, house: House, pages: Sequence[Page], nav: Sequence[NavEntry], cookies: Cookies
    ) -> None:
        self._house = house
        self._assets = Assets()
        self._renderer = Renderer(self._assets)
        self._sessions = Sessions(time.monotonic)
        self._cookies = cookies
        self._pages = pages
        self._nav = tuple(nav)
        self.reports = Reports()

    def forget(self) -> None:
        """End all sessions."""
        self._sessions.end_all()

    def make(self, hosts: Hosts) -> Starlette:
        """Return the application."""
        throttle = Throttle(time.monotonic)
        login = Login(self._house, self._renderer, self._sessions, self._cookies, throttle)
        app = Starlette(
            routes=[
                Route("/", self._begin),
                Route("/login", self._guarded(login.ask)),
                Route("/login", self._guarded(login.enter), methods=["POST"]),
                Route("/logout", self._guarded(login.leave), methods=["POST"]),
                Route(REPORTS, self._guarded(self.reports.take), methods=["POST"]),
                Route("/favicon.ico", self._icon),
                Route("/static/{path:path}", self._asset),
                *(
                    Route(one.path, self._behind(one), methods=["POST" if one.changes else "GET"])
                    for one in self._pages
                ),
            ],
            middleware=[Middleware(Doors, hosts=hosts), Middleware(Bounds)],
            exception_handlers={HTTPException: self._astray},
        )
        app.state.nav = self._nav
        return app

    async def _begin(self, request: Request) -> Response:
        return RedirectResponse(self._nav[0].path, 303)

    async def _icon(self, request: Request) -> Response:
        icon = self._assets.by_name["icon.svg"]
        return Response(icon.body, media_type=icon.kind, headers={"cache-control": "max-age=86400"})

    async def _asset(self, request: Request) -> Response:
        found = self._assets.by_path.get(request.url.path)
        if found is None:
            raise HTTPException(404)
        return Response(found.body, media_type=found.kind, headers={"cache-control": _FOR_EVER})

    def _behind(self, page: Page) -> Callable[[Request], Awaitable[Response]]:
        async def answer(request: Request) -> Response:
            token = self._cookies.read(request)
            identity = self._identify(page, token)
            if identity is None:
                return _send_to_login(request, page)
            fresh = "" if token else self._sessions.new_token()
            proof = self._sessions.proof(token or fresh)
            visit = Visit(request, self._house, self._renderer, identity, proof)
            try:
                response = await self._answer(page, visit, token)
            except UnderstudyError as error:
                response = _tell(visit, error, page)
            except Exception as error:  # noqa: BLE001 - the last line of defence
                response = _tell(visit, own_fault(request.url.path, error), page)
            if fresh:
                self._cookies.write(response, fresh)
            return response

        return answer

    async def _answer(self, page: Page, visit: Visit, token: str) -> Response:
        if not visit.may(page.call):
            role = self._house.roles[page.call]
            told = f"{visit.identity.name!r} lacks the role {str(role)!r}, which this needs"
            raise AccessError(Reason.ROLE_MISSING, told)
        if page.changes:
            form = await visit.read_form()
            if not self._sessions.is_proof(token, form.get("token")):
                raise AccessError(Reason.CREDENTIALS_REJECTED, _STALE)
        return await page.answer(visit)

    def _identify(self, page: Page, token: str) -> Identity | None:
        if self._house.access.is_open:
            return self._house.access.admit(page.call, (), {})
        return self._sessions.find(token)

    def _guarded(
        self, answer: Callable[[Request], Awaitable[Response]]
    ) -> Callable[[Request], Awaitable[Response]]:
        async def guarded(request: Request) -> Response:
            try:
                return await answer(request)
            except UnderstudyError as error:
                return self._plainly(request, status_of(error), error.message)
            except HTTPException:
                raise
            except Exception as error:  # noqa: BLE001 - the last line of defence
                fault = own_fault(request.url.path, error)
                return self._plainly(request, 500, fault.message)

        return guarded

    async def _astray(self, request: Request, error: Exception) -> Response:
        status = error.status_code if isinstance(error, HTTPException) else 500
        told = "No page has this address." if status == 404 else "No page takes that."
        return self._plainly(request, status, told)

    def _plainly(self, request: Request, status: int, told: str) -> Response:
        """Return a page for whoever asks, logged in or not."""
        values = {
            "identity": None, "nav": (), "here": request.url.path, "is_open": False,
            "is_away": False, "token": "", "title": title_of(status), "told": told,
        }  # fmt: skip
        text = self._renderer.render("fault.html", values)
        return Response(text, status, media_type="text/html")


def _send_to_login(request: Request, page: Page) -> Response:
    back = request.url.path + (f"?{request.url.query}" if request.url.query else "")
    address = f"/login?to={quote('/' if page.changes or page.part else back, safe='')}"
    if page.part:
        return Response(status_code=204, headers={"hx-redirect": address})
    return RedirectResponse(address, 303)


def _tell(visit: Visit, error: UnderstudyError, page: Page) -> Response:
    status = status_of(error)
    if page.part:
        # The part stays as it was, and a line of the page says why.
        told = quote(error.message[:500])
        return Response(status_code=204, headers={"x-understudy-trouble": told})
    return visit.page("fault.html", status, title=title_of(status), told=error.message)
