"""The cookie that holds a session's token. Cookies know no ports, so its name holds ours."""

from starlette.requests import Request
from starlette.responses import Response

from understudy.server.dashboard.sessions import LIFETIME


class Cookies:
    """Reads and writes it."""

    def __init__(self, port: int, *, secure: bool) -> None:
        self._secure = secure
        self._name = f"{'__Host-' if secure else ''}understudy-{port}"

    def read(self, request: Request) -> str:
        """Return the token that a browser sent, or nothing."""
        return request.cookies.get(self._name, "")

    def write(self, answer: Response, token: str) -> None:
        """Give a browser a token."""
        answer.set_cookie(
            self._name,
            token,
            max_age=int(LIFETIME),
            path="/",
            secure=self._secure,
            httponly=True,
            samesite="strict",
        )

    def clear(self, answer: Response) -> None:
        """Take it away."""
        answer.delete_cookie(
            self._name, path="/", secure=self._secure, httponly=True, samesite="strict"
        )
