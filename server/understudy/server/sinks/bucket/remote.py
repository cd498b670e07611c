"""Stores beyond this machine, by way of obstore, the only importer of which this is.

Credentials are those of the configuration, else whatever obstore finds by itself: the
environment's, a web identity, a container's or an instance's role. It keeps them; we never see
them. What it says of a failure may quote requests and replies, so none of it goes any further.
"""

import re
from collections.abc import Callable, Mapping
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Final

from understudy.server.config.settings import EgressSettings
from understudy.server.config.sink_settings import BucketSettings
from understudy.server.errors import ConfigError
from understudy.server.sinks.bucket.stores import SETTING, Address, StoreError

if TYPE_CHECKING:
    from obstore.store import (
        AzureStore,
        ClientConfig,
        GCSStore,
        RetryConfig,
        S3Config,
        S3Credential,
        S3Store,
    )

_EVERYTHING: Final = "*,0.0.0.0/0,::/0"  # names, and addresses of both kinds
_CONNECT: Final = timedelta(seconds=5)

_VARIABLES: Final = ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN")

_STATUS: Final = re.compile(r"status code: (\d{3})")
_ASKED: Final = re.compile(r"Error performing [A-Z]+ (\S+) in ")
_TIMED_OUT: Final = re.compile(r"\b(kind: Timeout|TimedOut)\b")
_WORDS: Final = {
    301: "the bucket is in another region; set `region`",
    307: "the bucket is in another region; set `region`",
    400: "the store calls our request malformed (400); are region and endpoint right?",
    401: "the store does not accept our credentials (401)",
    403: "the store refuses our credentials (403): they are wrong, or may not write here",
    404: "there is no such bucket (404)",
    409: "the store is busy with the same object (409)",
    429: "the store asks us to slow down (429)",
    503: "the store is not available, or asks us to slow down (503)",
}
_NO_CREDENTIALS: Final = (
    "no credentials: none are configured or in the environment, and asking for a role's failed"
)


class RemoteStore:
    """A bucket of Amazon's, of what speaks its S3, of Google's or of Azure's."""

    def __init__(self, store: "S3Store | GCSStore | AzureStore") -> None:
        self._store = store

    async def put(self, key: str, body: bytes, content_type: str) -> None:
        """Write an object whole, over one that has its key. Raises StoreError."""
        import obstore
        from obstore.exceptions import BaseError

        try:
            # In one request: half of several would cost money in the bucket and show nowhere.
            await obstore.put_async(
                self._store,
                key,
                body,
                attributes={"Content-Type": content_type},
                use_multipart=False,
            )
        except (BaseError, OSError, ValueError) as error:
            raise StoreError(explain(str(error), key)) from None


def open_remote(
    address: Address,
    settings: BucketSettings,
    egress: EgressSettings,
    environ: Mapping[str, str],
    patience: float,
) -> RemoteStore:
    """Return a bucket, without asking it anything. `patience` is in seconds, for one object.

    `environ` is where Amazon's keys and region are looked for if the settings have none.
    Raises ConfigError where obstore is missing, or settings or environment make no sense to it.
    """
    try:
        from obstore.exceptions import BaseError
        from obstore.store import AzureStore, GCSStore, S3Store
    except ModuleNotFoundError as error:
        raise ConfigError(
            [f"{SETTING}.url: {address.scheme}:// needs: pip install 'understudy[s3]'"]
        ) from error

    # The spool tries again, and tells what it tries.
    retry: RetryConfig = {"max_retries": 0, "retry_timeout": timedelta(seconds=patience)}
    credentials = _credentials(settings, environ)
    try:
        client = _client(settings, egress, patience)
        if address.scheme in ("s3", "s3a"):
            return RemoteStore(
                S3Store(
                    address.bucket,
                    config=_s3(settings, environ),
                    client_options=client,
                    retry_config=retry,
                    credential_provider=credentials,
                )
            )
        url = f"{address.scheme}://{address.bucket}"
        other = GCSStore if address.scheme == "gs" else AzureStore
        return RemoteStore(other.from_url(url, client_options=client, retry_config=retry))
    except (BaseError, OSError, ValueError):
        # Not even as the cause: its words may quote what the environment holds.
        raise ConfigError(
            [f"{SETTING}: {address.text} cannot be opened with these settings and environment"]
        ) from None


def explain(words: str, key: str) -> str:
    """Return in our words what obstore says of a failed request for `key`."""
    asked, status = _ASKED.search(words), _STATUS.search(words)
    if asked is not None and not asked[1].partition("?")[0].endswith(key.rpartition("/")[2]):
        return _NO_CREDENTIALS
    if status is not None:
        code = int(status[1])
        return _WORDS.get(code, f"the store answers {code}")
    if _TIMED_OUT.search(words):
        return "the store does not answer in time"
    return "the store cannot be reached"


def _client(settings: BucketSettings, egress: EgressSettings, patience: float) -> "ClientConfig":
    client: ClientConfig = {
        "timeout": timedelta(seconds=patience),
        "connect_timeout": min(_CONNECT, timedelta(seconds=patience)),
        "user_agent": "understudy",
        "allow_http": (settings.endpoint or "").startswith("http://"),
    }
    if egress.proxy is not None:
        client["proxy_url"] = egress.proxy
        client["proxy_excludes"] = ",".join(egress.no_proxy)
    else:
        # Without any, obstore would take the environment's; this one is never asked.
        client["proxy_url"], client["proxy_excludes"] = "http://127.0.0.1:9", _EVERYTHING
    if egress.ca_file is not None:
        client["root_certificate"] = Path(egress.ca_file).read_bytes()
    return client


def _s3(settings: BucketSettings, environ: Mapping[str, str]) -> "S3Config":
    config: S3Config = {}
    if settings.endpoint is not None:
        # Whose certificate seldom covers a host name for each bucket.
        config["endpoint"] = settings.endpoint
        config["virtual_hosted_style_request"] = False
    region = settings.region or environ.get("AWS_REGION") or environ.get("AWS_DEFAULT_REGION")
    if region:
        config["region"] = region
    return config


def _credentials(
    settings: BucketSettings, environ: Mapping[str, str]
) -> "Callable[[], S3Credential] | None":
    """Return what tells the key, `None` if there is none: then it is a role's.

    Raises ConfigError for half a key.
    """
    found = (settings.access_key_id, settings.secret_access_key, settings.session_token)
    key_id, key, token = (None if one is None else one.value for one in found)
    if key_id is None and key is None and token is None:
        key_id, key, token = (environ.get(name) or None for name in _VARIABLES)
        if key_id is None or key is None:
            return None
    if key_id is None or key is None:
        missing = "access_key_id" if key_id is None else "secret_access_key"
        raise ConfigError([f"{SETTING}.{missing}: is missing, and the rest of the key is there"])
    credential: S3Credential = {
        "access_key_id": key_id,
        "secret_access_key": key,
        "token": token,
        "expires_at": None,
    }
    # As options, obstore would mix them with the environment's: a token that is another key's.
    return lambda: credential
