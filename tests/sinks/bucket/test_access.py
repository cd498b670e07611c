"""By whose key and by which way a bucket is written to."""

import json
import re
import threading
from collections.abc import Callable
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from understudy.server.config.settings import EgressSettings
from understudy.server.sinks.bucket.sink import BucketSink, open_bucket

from ...stub.eventually import eventually_sync
from .detour import Detour
from .making import calls
from .s3 import KEY_ID, Bucket

Open = Callable[..., BucketSink]


def test_keys_that_the_configuration_adds_to_the_environment_are_used(
    bucket: Bucket, way: Detour, state: Path
) -> None:
    settings = bucket.settings(endpoint=way.endpoint, access_key_id=None, secret_access_key=None)
    added = {"AWS_ACCESS_KEY_ID": "ADDED", "AWS_SECRET_ACCESS_KEY": "key", "AWS_REGION": "eu-1"}
    sink = open_bucket(replace(settings, region=None), state, "own", environ=added)

    sink.tell(calls(1))
    sink.close(10.0)

    (signed,) = way.authorizations
    assert re.search(r"Credential=ADDED/\d+/eu-1/s3/", signed)


def test_a_configured_key_is_not_mixed_with_the_environments(
    bucket: Bucket, way: Detour, opened: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "ANOTHER")
    monkeypatch.setenv("AWS_SESSION_TOKEN", "another's token")
    sink = opened(bucket.settings(endpoint=way.endpoint))

    sink.tell(calls(1))
    eventually_sync(lambda: sink.figures.sent == 1, within=10)

    (signed,) = way.authorizations
    assert f"Credential={KEY_ID}/" in signed
    assert "x-amz-security-token" not in signed


def test_only_the_configured_proxy_is_used(
    bucket: Bucket, way: Detour, state: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as environment:
        for name in ("no_proxy", "NO_PROXY"):
            environment.delenv(name, raising=False)
        for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
            environment.setenv(name, way.endpoint)
        sink = open_bucket(bucket.settings(), state, "direct")
        sink.tell(calls(1))
        sink.close(10.0)
    assert way.asked == 0

    egress = EgressSettings(proxy=way.endpoint)
    sink = open_bucket(bucket.settings(), state, "by proxy", egress=egress)
    sink.tell(calls(1))
    sink.close(10.0)

    assert way.asked == 1
    assert len(bucket.ids()) == 2


def test_a_role_needs_no_key_in_the_configuration(
    bucket: Bucket, way: Detour, opened: Open, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    class Credentials(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            body = json.dumps(
                {
                    "AccessKeyId": "ROLE-KEY-ID",
                    "SecretAccessKey": "role-secret",
                    "Token": "role-token",
                    "Expiration": "2099-01-01T00:00:00Z",
                }
            ).encode()
            assert self.headers["authorization"] == "pod-token"
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:
            """Say nothing."""

    (tmp_path / "token").write_text("pod-token")
    with ThreadingHTTPServer(("127.0.0.1", 0), Credentials) as role:
        threading.Thread(target=role.serve_forever, args=(0.01,), daemon=True).start()
        url = f"http://127.0.0.1:{role.server_address[1]}/credentials"
        monkeypatch.setenv("AWS_CONTAINER_CREDENTIALS_FULL_URI", url)
        monkeypatch.setenv("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE", str(tmp_path / "token"))
        settings = bucket.settings(
            endpoint=way.endpoint, access_key_id=None, secret_access_key=None
        )
        sink = opened(settings)
        sink.tell(calls(3))
        eventually_sync(lambda: sink.figures.sent == 3, within=10)
        role.shutdown()

    assert len(bucket.ids()) == 3
    assert all("Credential=ROLE-KEY-ID/" in one for one in way.authorizations)
