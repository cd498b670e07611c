"""A real server that speaks S3, on this machine: moto's, in a process of its own."""

import http.client
import re
import secrets
import signal
import subprocess
import sys
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import msgspec
import obstore
from obstore.store import S3Store

from understudy.server.config.sink_settings import BucketSettings
from understudy.server.domain.deployment import Secret

from ...stub.eventually import eventually_sync

KEY_ID = "AKIA-CANARY-KEY-ID"
KEY = "canary-secret-access-key"


@dataclass(frozen=True, slots=True)
class Bucket:
    """A bucket on the server, and what is in it."""

    endpoint: str
    name: str

    def settings(
        self, *, endpoint: str = "", prefix: str = "calls", **settings: object
    ) -> BucketSettings:
        """Return settings that write here, by way of another endpoint if there is one."""
        made: dict[str, object] = {
            "url": f"s3://{self.name}/{prefix}",
            "endpoint": endpoint or self.endpoint,
            "region": "us-east-1",
            "access_key_id": Secret(KEY_ID, "ID"),
            "secret_access_key": Secret(KEY, "KEY"),
            "every": 0.05,
            **settings,
        }
        return BucketSettings(**made)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]

    def objects(self) -> dict[str, bytes]:
        """Return everything in it, by key."""
        store = self._store()
        # Its stub names a type of another package, which it can do without.
        pages = store.list()  # pyright: ignore[reportUnknownMemberType]
        found = [one["path"] for page in pages for one in page]
        return {path: bytes(obstore.get(store, path).bytes()) for path in sorted(found)}

    def records(self) -> list[dict[str, object]]:
        """Return all records in it, each as often as it is there."""
        return [record for body in self.objects().values() for record in read_records(body)]

    def ids(self) -> list[str]:
        """Return the ids of all records in it, sorted, each as often as it is there."""
        return sorted(str(one["id"]) for one in self.records())

    def _store(self) -> S3Store:
        return S3Store(
            self.name,
            endpoint=self.endpoint,
            region="us-east-1",
            access_key_id=KEY_ID,
            secret_access_key=KEY,
            virtual_hosted_style_request=False,
            client_options={"allow_http": True},
        )


def read_records(body: bytes) -> list[dict[str, object]]:
    """Return the records of an object, be it one or a line for each."""
    return [msgspec.json.decode(line, type=dict[str, object]) for line in body.splitlines()]


@dataclass(frozen=True, slots=True)
class Server:
    """The server, and its process."""

    endpoint: str
    process: subprocess.Popen[bytes]

    def make_bucket(self) -> Bucket:
        """Return a new, empty bucket."""
        name = f"bucket-{secrets.token_hex(6)}"
        host = self.endpoint.removeprefix("http://")
        connection = http.client.HTTPConnection(host, timeout=10)
        connection.request("PUT", f"/{name}", body=b"")
        answer = connection.getresponse()
        answer.read()
        connection.close()
        assert answer.status == 200
        return Bucket(self.endpoint, name)


@contextmanager
def server(folder: Path) -> Generator[Server]:
    """Run the server until the block ends; its log is in a folder."""
    log = folder / "moto.log"
    with log.open("wb") as file:
        child = subprocess.Popen(
            [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", "0"],
            stdout=file,
            stderr=file,
        )
    try:
        running = re.compile(r"Running on (http://127\.0\.0\.1:[1-9][0-9]*)")
        eventually_sync(lambda: running.search(log.read_text()), within=60)
        found = running.search(log.read_text())
        assert found is not None
        yield Server(found[1], child)
    finally:
        child.send_signal(signal.SIGKILL)
        child.wait()
