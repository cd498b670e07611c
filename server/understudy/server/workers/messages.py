"""What the process that controls and those that serve say to each other. Values only."""

from collections.abc import Mapping
from typing import Final

import msgspec
from msgspec import Raw, Struct

from understudy.server.processes.link import Frame
from understudy.server.processes.refusals import Broken, Message, Refused
from understudy.server.sinks.metrics import Reading


class Text(Struct, frozen=True):
    """A configuration as the texts that the parent has read: files may have changed since."""

    file: str
    text: str
    included: Mapping[str, str]


class Begin(Message, frozen=True):
    """To a worker, first: make everything ready, but do not listen yet.

    `started` is what the service was started with, `newest` what it has read since, which are the
    same before it has. `socket` is where calls are passed on to.
    """

    started: Text
    newest: Text
    workers: int
    host: str
    port: int
    state_dir: str | None
    socket: str
    log_level: str


class Follow(Message, frozen=True):
    """To a worker: use these experiments from now on. `roster` is a `Roster`."""

    roster: Raw


class Tell(Message, frozen=True):
    """To a worker: tell balancers this."""

    is_ready: bool
    is_away: bool


class Reload(Message, frozen=True):
    """To a worker: use what another reading of the file says."""

    newest: Text


class Pause(Message, frozen=True):
    """To a worker: stop mirroring to one silent model, or to all."""

    silent_model: str | None


class Resume(Message, frozen=True):
    """To a worker: go on with one, or with all."""

    silent_model: str | None


class Listen(Message, frozen=True):
    """To a worker: take calls."""


class Describe(Message, frozen=True):
    """To a worker: say how you are."""


class Count(Message, frozen=True):
    """To a worker: say what you have counted and measured, for metrics."""


class Drain(Message, frozen=True):
    """To a worker: take no more calls, finish those there are, and end."""


class Register(Message, frozen=True):
    """From a worker: a call brings an experiment along."""

    experiment: str
    models: Mapping[str, float]
    control: str
    actor: str


class Done(Message, frozen=True):
    """It is so."""


class Reloaded(Message, frozen=True):
    """The file's other reading is in use; `renewed` says whether certificates differ."""

    renewed: bool


class Described(Message, frozen=True):
    """How a worker is: a `GetStatusResponse`."""

    status: bytes


class Counted(Message, frozen=True):
    """What a worker has counted and measured."""

    reading: Reading


class Faulty(Message, frozen=True):
    """The configuration cannot be used, for reasons of this machine."""

    faults: list[str]


Anything = (
    Begin
    | Follow
    | Tell
    | Reload
    | Pause
    | Resume
    | Listen
    | Describe
    | Count
    | Drain
    | Register
    | Done
    | Reloaded
    | Described
    | Counted
    | Faulty
    | Refused
    | Broken
)

FRAMES: Final = msgspec.json.Decoder(Frame[Anything])
