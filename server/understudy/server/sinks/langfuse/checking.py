"""Whether Langfuse can be told at all: its keys, its host, the names of its environments. Pure."""

import re
from typing import Final

from understudy.server.config.sink_settings import LangfuseSettings
from understudy.server.sinks.sending.addresses import Address, AddressError, read_address

CLOUD: Final = "https://cloud.langfuse.com"
_OURS: Final = "understudy.sinks.langfuse"
_ENVIRONMENT: Final = re.compile(r"(?!langfuse)[a-z0-9_-]{1,40}")  # as Langfuse has it


def mirror_environment(environment: str) -> str:
    """Return the environment of silent calls."""
    return f"{environment}-mirror"


def find_langfuse_faults(settings: LangfuseSettings) -> list[str]:
    """Return what keeps `open_langfuse` from opening, each as `where: what is wrong`."""
    faults: list[str] = []
    if not settings.public_key:
        faults.append(f"{_OURS}.public_key: is missing; write it, or set LANGFUSE_PUBLIC_KEY")
    elif not (settings.public_key.isascii() and settings.public_key.isprintable()):
        faults.append(f"{_OURS}.public_key: must be printable ASCII")
    elif ":" in settings.public_key:
        faults.append(f"{_OURS}.public_key: must hold no colon")
    if settings.secret_key is None or not settings.secret_key.value:
        faults.append(f"{_OURS}.secret_key: is missing; write it, or set LANGFUSE_SECRET_KEY")
    elif not settings.secret_key.value.isascii():
        faults.append(f"{_OURS}.secret_key: must be printable ASCII")
    try:
        find_host(settings)
    except AddressError as error:
        faults.append(f"{_OURS}.host: {error}")
    if not _ENVIRONMENT.fullmatch(mirror_environment(settings.environment)):
        faults.append(
            f"{_OURS}.environment: must be at most 33 of a-z, 0-9, - and _, "
            "and not begin with langfuse"
        )
    return faults


def find_host(settings: LangfuseSettings) -> Address:
    """Return where Langfuse is. Raises AddressError."""
    return read_address(settings.host or CLOUD)
