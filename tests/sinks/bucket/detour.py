"""A way to a server that can be closed, slow, refuse, or lose the answers. For one test."""

import http.client
import socketserver
import threading
from collections.abc import Generator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


class Detour:
    """Passes requests on, unless it is told otherwise. What was asked is counted."""

    def __init__(self, endpoint: str) -> None:
        self._to = endpoint.removeprefix("http://")
        self._server: _Server | None = None
        self._port = 0
        self.status = 0  # to answer with instead
        self.delay = 0.0  # seconds before a request is passed on
        self.loses_answers = False  # the request arrives, its answer does not
        self.asked = 0
        self.authorizations: set[str] = set()
        self.patience = threading.Event()  # set: nobody is to wait any longer
        self.open()

    @property
    def endpoint(self) -> str:
        """Where it is."""
        return f"http://127.0.0.1:{self._port}"

    def open(self) -> None:
        """Listen, where it did before."""
        self._server = _Server(("127.0.0.1", self._port), self)
        self._port = self._server.server_address[1]
        threading.Thread(target=self._server.serve_forever, args=(0.01,), daemon=True).start()

    def close(self) -> None:
        """Let nobody connect."""
        if self._server is not None:
            self._server.shutdown()
            self._server.server_close()
            self._server = None

    def pass_on(self, handler: BaseHTTPRequestHandler) -> None:
        """Do with a request as told."""
        body = handler.rfile.read(int(handler.headers.get("content-length", 0)))
        self.asked += 1
        self.authorizations.add(handler.headers.get("authorization", ""))
        if self.delay:
            self.patience.wait(self.delay)
        if self.status:
            quoted = f"<Error><Key>{handler.headers.get('authorization')}</Key></Error>".encode()
            _answer(handler, self.status, quoted)
            return
        connection = http.client.HTTPConnection(self._to, timeout=30)
        headers = dict(handler.headers.items())
        connection.request(handler.command, handler.path, body, headers)
        reply = connection.getresponse()
        answer = reply.read()
        connection.close()
        if not self.loses_answers:
            _answer(handler, reply.status, answer, reply.getheader("ETag") or '"none"')


def _answer(handler: BaseHTTPRequestHandler, status: int, body: bytes, tag: str = '"none"') -> None:
    handler.send_response(status)
    handler.send_header("ETag", tag)
    handler.send_header("Content-Length", str(len(body)))
    handler.send_header("Connection", "close")
    handler.end_headers()
    handler.wfile.write(body)


class _Server(ThreadingHTTPServer):
    allow_reuse_address = True
    daemon_threads = True
    request_queue_size = 128

    def __init__(self, address: tuple[str, int], detour: Detour) -> None:
        self.detour = detour
        super().__init__(address, _Handler)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A caller that hangs up is no news."""


class _Handler(BaseHTTPRequestHandler):
    def do_PUT(self) -> None:
        self.close_connection = True
        server: socketserver.BaseServer = self.server
        assert isinstance(server, _Server)
        server.detour.pass_on(self)

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing."""


@contextmanager
def detour(endpoint: str) -> Generator[Detour]:
    """A way to a server, until the block ends."""
    one = Detour(endpoint)
    try:
        yield one
    finally:
        one.patience.set()
        one.close()
