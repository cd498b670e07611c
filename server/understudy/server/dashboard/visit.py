"""One request, as a page sees it: who asks, what for, and how to answer."""

import hashlib
from collections.abc import Callable, Coroutine, Mapping
from typing import Any, Final, TypeVar
from urllib.parse import parse_qsl, quote

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from understudy.server.dashboard.house import House
from understudy.server.dashboard.rendering import Renderer
from understudy.server.domain.access import Identity, Role
from understudy.server.errors import RequestError

T = TypeVar("T")

_MOST_FIELDS: Final = 4000


class Form:
    """What was typed in. Of several values of a name the last counts; line ends are `\\n`."""

    def __init__(self, fields: Mapping[str, str]) -> None:
        self._fields = fields

    def get(self, name: str, default: str = "") -> str:
        """Return a field's text."""
        return self._fields.get(name, default)

    def __contains__(self, name: str) -> bool:
        return name in self._fields

    def numbers(self, prefix: str) -> list[int]:
        """Return the numbers N for which there is a field `prefixN-…`, in ascending order."""
        found = {
            name[len(prefix) :].partition("-")[0]
            for name in self._fields
            if name.startswith(prefix) and "-" in name
        }
        return sorted(int(one) for one in found if one.isascii() and one.isdigit())


class Visit:
    """One request. `proof` goes into every form, as the field `token`."""

    def __init__(
        self, request: Request, house: House, renderer: Renderer, identity: Identity, proof: str
    ) -> None:
        self.request = request
        self.house = house
        self.identity = identity
        self.proof = proof
        self._renderer = renderer
        self.form = Form({})

    @property
    def path(self) -> Mapping[str, str]:
        """The variable parts of the address."""
        found: Mapping[str, str] = self.request.path_params
        return found

    @property
    def query(self) -> Mapping[str, str]:
        """What follows the question mark."""
        return self.request.query_params

    @property
    def sees_texts(self) -> bool:
        """Whether prompts and answers may be shown."""
        return Role.READER in self.identity.roles

    def may(self, call: str) -> bool:
        """Whether an RPC may be called."""
        role = self.house.roles[call]
        return role is None or role in self.identity.roles

    async def ask(self, question: Coroutine[Any, Any, T]) -> T:
        """Ask what lives on the service's own loop, such as the desk."""
        return await self.house.ask(question)

    async def read(self, question: Callable[[], T]) -> T:
        """Ask what blocks, such as the archive."""
        return await self.house.read(question)

    async def read_form(self) -> Form:
        """Take in what was typed. Raises RequestError for what no browser sends."""
        self.form = await read_form(self.request)
        return self.form

    def page(self, template: str, status: int = 200, /, **values: object) -> Response:
        """Return a whole page."""
        return Response(self._render(template, values), status, media_type="text/html")

    def fragment(self, template: str, /, **values: object) -> Response:
        """Return a part of a page, or 304 if it is as the browser has it."""
        return self._unless_known(self._render(template, values).encode(), "text/html")

    def data(self, text: bytes) -> Response:
        """Return JSON, or 304 if it is as the browser has it."""
        return self._unless_known(text, "application/json")

    def go(self, path: str, *names: str, **query: str) -> Response:
        """Send the browser on. `{}` in the path are filled with names."""
        address = path.format(*(quote(one, safe="") for one in names))
        tail = "&".join(f"{quote(key)}={quote(value, safe='')}" for key, value in query.items())
        return RedirectResponse(f"{address}?{tail}" if tail else address, 303)

    def _unless_known(self, body: bytes, kind: str) -> Response:
        etag = f'"{hashlib.sha256(body).hexdigest()[:32]}"'
        if self.request.headers.get("if-none-match") == etag:
            return Response(status_code=304, headers={"etag": etag})
        return Response(body, media_type=kind, headers={"etag": etag})

    def _render(self, template: str, values: Mapping[str, object]) -> str:
        return self._renderer.render(
            template,
            {
                "visit": self,
                "identity": self.identity,
                "token": self.proof,
                "here": self.request.url.path,
                "is_open": self.house.access.is_open,
                "is_away": self.house.desk.is_away,
                "may": self.may,
                "nav": self.request.app.state.nav,
                **values,
            },
        )


async def read_form(request: Request) -> Form:
    """Return what was typed. Raises RequestError for what no browser sends."""
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind != "application/x-www-form-urlencoded":
        raise RequestError("changes are sent as forms are: application/x-www-form-urlencoded")
    body = await request.body()
    try:
        pairs = parse_qsl(
            body.decode("ascii"),
            keep_blank_values=True,
            errors="strict",
            max_num_fields=_MOST_FIELDS,
        )
    except ValueError:  # too many fields, or no UTF-8
        raise RequestError("the form cannot be read") from None
    return Form({name: text.replace("\r\n", "\n").replace("\r", "\n") for name, text in pairs})
