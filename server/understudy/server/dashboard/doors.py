"""Stands before every page: what no browser of ours would send is not looked at any further.

Who may see a page is `pages`' to say, once it is clear which one. Headers that bind browsers are
put on every answer here.
"""

from typing import Final

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from understudy.server.dashboard.hosts import Hosts

REPORTS: Final = "/csp-report"

# Nothing but our own files, and nothing inline: a prompt that is markup, should one ever get
# through, can run nothing, load nothing and send nothing.
_POLICY: Final = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; "
    "connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'; "
    f"report-uri {REPORTS}"
)
_ALWAYS: Final = {
    "content-security-policy": _POLICY,
    "x-content-type-options": "nosniff",
    # Not `no-referrer`: that makes the Origin of our own forms `null`, and there would be
    # nothing to check where a browser does not say `Sec-Fetch-Site`.
    "referrer-policy": "same-origin",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "x-frame-options": "DENY",
    "permissions-policy": "camera=(), geolocation=(), microphone=(), payment=()",
}
_OWN: Final = ("same-origin", "none")  # `none`: typed, or a bookmark


class Doors:
    """Wraps the application."""

    def __init__(self, app: ASGIApp, hosts: Hosts) -> None:
        self._app = app
        self._hosts = hosts

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer, or refuse to."""
        if scope["type"] != "http":
            return
        headers = Headers(scope=scope)
        refusal = self._refuse(scope, headers)
        answer = self._app if refusal is None else PlainTextResponse(*refusal)
        await answer(scope, receive, _binding(send))

    def _refuse(self, scope: Scope, headers: Headers) -> tuple[str, int] | None:
        """Return what to tell whom no page is for, and with which status."""
        host = headers.get("host", "")
        if len(headers.getlist("host")) != 1 or not self._hosts.knows(host):
            told = "this name is not the dashboard's; understudy.dashboard.names says which are"
            return told, 421
        site = headers.get("sec-fetch-site")
        if scope["method"] in ("GET", "HEAD"):
            # Others may link here, but not build pages of what is here.
            if site in (None, *_OWN) or headers.get("sec-fetch-mode") == "navigate":
                return None
            return "other sites may not load this", 403
        origin = headers.get("origin")
        own = f"{scope['scheme']}://{host}"
        if (site is not None and site != "same-origin") or origin not in (None, own):
            return "changes are made from the dashboard's own pages only", 403
        return None


def _binding(send: Send) -> Send:
    async def bound(message: Message) -> None:
        if message["type"] == "http.response.start":
            headers = MutableHeaders(scope=message)
            for name, value in _ALWAYS.items():
                headers[name] = value
            headers.setdefault("cache-control", "no-store")
        await send(message)

    return bound
