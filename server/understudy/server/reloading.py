"""Takes another reading of the configuration file while the service runs, or says why not.

What is done with it is handed in: `serving` exchanges what calls meet, `control` what experiments
are compared with. Who asks for a reading, such as a signal, is the command line's.
"""

import asyncio
import logging
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterator, Sequence
from contextlib import asynccontextmanager, suppress
from typing import Final

from understudy.server.config import Config
from understudy.server.config.comparing import Differences, compare, find_waiting
from understudy.server.config.reminders import remind
from understudy.server.errors import ConfigError

ReadConfig = Callable[[], Config]
"""Returns the configuration that the service shall have. Blocks; raises ConfigError."""

UseConfig = Callable[[Config], Awaitable[bool]]
"""Makes all that serves use a configuration, whole; returns whether certificates differ.

Raises ConfigError, and changes nothing, if that cannot be."""

_MOST_NAMED: Final = 5

_LOG = logging.getLogger(__name__)


class Reloads:
    """The configuration in use, when it was read, and what is wrong with a later one.

    `read` reads the file again, `now` is in seconds since 1970.
    """

    def __init__(self, config: Config, read: ReadConfig, now: Callable[[], float]) -> None:
        self._started = config
        self._config = config
        self._read = read
        self._now = now
        self._time = now()
        self._error = ""
        self._asked = asyncio.Event()

    @property
    def time(self) -> float:
        """When the configuration in use was read, in seconds since 1970."""
        return self._time

    @property
    def error(self) -> str:
        """Why the last reading was refused, a fault a line; empty if it was not."""
        return self._error

    def ask(self) -> None:
        """Ask for a reading. However often that is done during one, one more follows."""
        self._asked.set()

    @asynccontextmanager
    async def answering(self, use: UseConfig) -> AsyncGenerator[None]:
        """Read the file whenever asked, also before this, until the context is left."""
        task = asyncio.create_task(self._answer(use))
        try:
            yield
        finally:
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task

    async def _answer(self, use: UseConfig) -> None:
        while True:
            await self._asked.wait()
            self._asked.clear()
            await self.reload(use)

    async def reload(self, use: UseConfig) -> None:
        """Read the file, and use what it says now. Raises nothing: a fault changes nothing."""
        try:
            config = await asyncio.to_thread(self._read)
            _check_groups(self._config, config)
            certificates = await use(config)
        except ConfigError as error:
            self._refuse(error.faults)
        except Exception as error:  # noqa: BLE001 - whatever is wrong with us, the service goes on
            # Without its text, which may quote a value of the file.
            self._refuse([f"an error of the server's own: {type(error).__name__}"])
        else:
            self._tell(config, certificates=certificates)

    def _refuse(self, faults: Sequence[str]) -> None:
        self._error = "\n".join(faults)
        for one in faults:
            _LOG.error("the configuration is not reloaded: %s", one)

    def _tell(self, config: Config, *, certificates: bool) -> None:
        told = list(_describe(compare(self._config, config)))
        told += ["certificates"] if certificates else []
        self._config, self._time, self._error = config, self._now(), ""
        _LOG.info("the configuration is reloaded: %s", "; ".join(told) or "nothing has changed")
        for warning in remind(config.report, self._time):
            _LOG.warning("%s", warning)
        if waiting := find_waiting(self._started.settings, config.settings):
            _LOG.warning("changed, but take effect at the next start: %s", ", ".join(waiting))


def _check_groups(old: Config, new: Config) -> None:
    """Raise ConfigError for a file that has lost all its models: it is still being written."""
    if old.snapshot.groups and not new.snapshot.groups:
        raise ConfigError(["model_list: there is no model left; to serve none, start anew"])


def _describe(differences: Differences) -> Iterator[str]:
    for what, names in (
        ("added", differences.added),
        ("removed", differences.removed),
        ("changed", differences.changed),
    ):
        if names:
            shown = [repr(one) for one in names[:_MOST_NAMED]]
            shown += ["…"] if len(names) > _MOST_NAMED else []
            groups = "model group" if len(names) == 1 else "model groups"
            yield f"{len(names)} {groups} {what} ({', '.join(shown)})"
    if differences.routing:
        yield "aliases, retries or fallbacks"
    if differences.settings:
        yield ", ".join(differences.settings)
