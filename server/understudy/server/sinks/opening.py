"""Opens the sinks that the settings name. What a sink needs is imported only where it is wanted,
so that whoever has none pays for none, and needs nothing installed for it.
"""

import secrets
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from understudy.server.capturing import Redactor
from understudy.server.config.settings import Settings
from understudy.server.config.sink_settings import BucketSettings, LangfuseSettings, OtelSettings
from understudy.server.errors import ConfigError
from understudy.server.ports import Sink
from understudy.server.sinks.hearing import Ear
from understudy.server.sinks.json_log import JsonLog
from understudy.server.sinks.telling import Sinks

# What is installed with each extra.
_EXTRAS: Final = {"obstore": "s3"}


@dataclass(frozen=True, slots=True)
class _Wanted:
    name: str
    settings: OtelSettings | LangfuseSettings | BucketSettings
    open: Callable[[], Sink]


def open_sinks(
    settings: Settings,
    state_dir: Path,
    environ: Mapping[str, str],
    also: Sequence[Sink] = (),
) -> Sinks:
    """Open every sink that the settings name. Blocks a moment.

    `environ` is the environment with what the file adds; `also` are told besides, of figures
    only, and closed with the others. Raises ConfigError for a sink that cannot be opened; then
    none is open.
    """
    ears: list[Ear] = []
    redactor = Redactor(settings.redaction.patterns)
    try:
        for one in _wanted(settings, state_dir, environ):
            sink = _open(one)
            told = one.settings
            ears.append(Ear(one.name, sink, capture=told.capture, hears=told.hears))
    except BaseException:
        Sinks(ears, redactor).close(0.0)
        raise
    if settings.sinks.json_log:
        ears.append(Ear("json_log", JsonLog(), capture="metadata"))
    return Sinks(ears, redactor, own=also)


def _wanted(settings: Settings, state_dir: Path, environ: Mapping[str, str]) -> Iterator[_Wanted]:
    sinks, egress = settings.sinks, settings.egress
    if (otel := sinks.otel) is not None:

        def open_otel() -> Sink:
            from understudy.server.sinks.otel.sink import open_otel

            return open_otel(otel, environ, ca_file=egress.ca_file)

        yield _Wanted("otel", otel, open_otel)
    if (langfuse := sinks.langfuse) is not None:

        def open_langfuse() -> Sink:
            from understudy.server.sinks.langfuse.sink import open_langfuse

            return open_langfuse(langfuse, ca_file=egress.ca_file)

        yield _Wanted("langfuse", langfuse, open_langfuse)
    if (bucket := sinks.bucket) is not None:

        def open_bucket() -> Sink:
            from understudy.server.sinks.bucket.sink import open_bucket

            name = secrets.token_hex(16)
            return open_bucket(bucket, state_dir, name, egress=egress, environ=environ)

        yield _Wanted("bucket", bucket, open_bucket)


def _open(one: _Wanted) -> Sink:
    try:
        return one.open()
    except ImportError as error:
        missing = (error.name or "").partition(".")[0]
        extra = _EXTRAS.get(missing, "server")
        raise ConfigError(
            [
                f"understudy.sinks.{one.name}: {missing or 'a library'} is not installed; "
                + f"pip install 'understudy[server,{extra}]'"
            ]
        ) from error
