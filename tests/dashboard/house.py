"""Starts services with a dashboard for tests, and asks it without a browser."""

import http.client
import re
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path
from typing import Any
from urllib.parse import urlencode, urlsplit

from ..service.configs import deployment, write
from ..service.running import serving
from ..stub.faultstub import FaultStub
from ..stub.runners import stub_thread

PATIENCE = 10.0

KEYS = {
    "caller": "key-caller",
    "viewer": "key-viewer",
    "reader": "key-reader",
    "operator": "key-op",
}


def house(stub: FaultStub, folder: Path, **understudy: Any) -> str:
    """A configuration with two model groups, which the stub plays, and a dashboard."""
    return write(
        deployment(stub, "gpt-4", "gpt-4"),
        deployment(stub, "llama-2", "llama-2"),
        understudy={
            "server": {"port": 0},
            "dashboard": {"port": 0},
            "state_dir": str(folder / "state"),
            "records": {"capture": "content", "flush": "100ms"},
            **understudy,
        },
    )


def with_keys(**server: Any) -> dict[str, Any]:
    """A `server` section with a key for each role, each called after its role."""
    keys = [
        {"name": role, "sha256": sha256(key.encode()).hexdigest(), "roles": [role]}
        for role, key in KEYS.items()
    ]
    return {"port": 0, "api_keys": keys, **server}


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back. Header names are lower-case."""

    status: int
    headers: Mapping[str, str]
    text: str


@dataclass(slots=True)
class Visitor:
    """Asks the dashboard at a URL, keeping cookies as a browser does. Blocks: use a thread."""

    url: str
    cookies: dict[str, str] = field(default_factory=dict[str, str])

    def get(self, path: str, **headers: str) -> Answer:
        """Ask for a page."""
        return self.send("GET", path, None, headers)

    def post(self, path: str, fields: Mapping[str, str], **headers: str) -> Answer:
        """Send a form."""
        head = {"content-type": "application/x-www-form-urlencoded", **headers}
        return self.send("POST", path, urlencode(fields).encode(), head)

    def token(self, path: str) -> str:
        """Return the token in the forms of a page."""
        found = re.search(r'name="token" value="([0-9a-f]+)"', self.get(path).text)
        assert found is not None, f"no form on {path}"
        return found[1]

    def log_in(self, role: str) -> Answer:
        """Log in by the key of a role."""
        return self.post("/login", {"token": self.token("/login"), "key": KEYS[role], "to": "/"})

    def send(
        self, method: str, path: str, body: bytes | None, headers: Mapping[str, str]
    ) -> Answer:
        """Ask anything. Underscores in the names of headers are hyphens."""
        connection = http.client.HTTPConnection(urlsplit(self.url).netloc, timeout=PATIENCE)
        head = {name.replace("_", "-"): value for name, value in headers.items()}
        if self.cookies:
            head["cookie"] = "; ".join(f"{name}={value}" for name, value in self.cookies.items())
        try:
            connection.request(method, path, body, head)
            reply = connection.getresponse()
            text = reply.read().decode()
        finally:
            connection.close()
        for name, value in reply.getheaders():
            if name.lower() == "set-cookie":
                key, _, token = value.partition(";")[0].partition("=")
                self.cookies[key] = token.strip('"')
        named = {name.lower(): value for name, value in reply.getheaders()}
        return Answer(reply.status, named, text)


@dataclass(frozen=True, slots=True)
class Standing:
    """A service in a process of its own, with the stub that plays its models."""

    stub: FaultStub
    target: str
    url: str
    log: list[str]
    pid: int


@contextmanager
def standing(folder: Path, **understudy: Any) -> Generator[Standing]:
    """Run a service with a dashboard until the block ends."""
    with (
        stub_thread(FaultStub()) as stub,
        serving(house(stub, folder, **understudy), folder) as running,
    ):
        found = re.search(r"dashboard=(\S+)", running.ready)
        assert found is not None, running.ready
        yield Standing(stub, running.target, found[1], running.log, running.process.pid)
