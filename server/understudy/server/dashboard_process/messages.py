"""What the service and the dashboard's process say to each other. Values only."""

from collections.abc import Mapping
from typing import Final, Literal

import msgspec
from msgspec import Struct

from understudy.server.dashboard.house import Names
from understudy.server.dashboard.status import Board
from understudy.server.domain.access import ApiKey, ClientCertificate
from understudy.server.domain.experiments import Experiment
from understudy.server.domain.reports import Question, Report
from understudy.server.processes.link import Frame
from understudy.server.processes.refusals import Broken, Message, Refused


class Database(Struct, frozen=True):
    """Where something is kept. `url` is `None` for SQLite; it may hold a password."""

    url: str | None

    def __repr__(self) -> str:
        return "Database(…)"


class Admitted(Struct, frozen=True):
    """Who may log in. With neither, everybody is in."""

    keys: tuple[ApiKey, ...]
    certificates: tuple[ClientCertificate, ...]


class Open(Message, frozen=True, kw_only=True):
    """To the process, first: what to show, where and to whom.

    `address` is where callers find the service, `host` and `names` what browsers may ask for.
    `environ` is what the driver of a database reads besides.
    """

    address: str
    host: str
    names: tuple[str, ...]
    cert_file: str | None
    key_file: str | None
    admitted: Admitted
    records: Database | None
    store: Database
    state_dir: str
    environ: Mapping[str, str]
    log_level: str


class See(Message, frozen=True, kw_only=True):
    """To the process: what serves now. Of experiments, those that are not as it has them."""

    revision: int
    changed: tuple[Experiment, ...]
    gone: tuple[str, ...]
    is_away: bool
    names: Names


class Admit(Message, frozen=True):
    """To the process: everybody has to log in again, and these may."""

    admitted: Admitted


class Create(Message, frozen=True):
    """Create a draft."""

    draft: Experiment
    actor: str


class Update(Message, frozen=True):
    """Change an experiment."""

    wanted: Experiment
    etag: str
    paths: tuple[str, ...]
    actor: str
    validate_only: bool


Action = Literal["start", "pause", "resume", "rollback", "conclude", "delete"]


class Act(Message, frozen=True):
    """Do something with an experiment."""

    action: Action
    experiment: str
    actor: str
    etag: str = ""
    cause: str = ""
    winner: str = ""


class WritePermanent(Message, frozen=True):
    """Say how a winner is made permanent."""

    experiment: str


class Describe(Message, frozen=True):
    """Say how the host is."""


class Steer(Message, frozen=True):
    """Stop mirroring to one silent model, or to all if the name is empty; or go on with it."""

    silent_model: str
    actor: str
    cause: str
    resumes: bool


class Look(Message, frozen=True):
    """Say how far a report is, or what it says."""

    question: Question
    anew: bool


class Done(Message, frozen=True):
    """It is so."""


class Faulty(Message, frozen=True):
    """It cannot be shown as configured."""

    faults: tuple[str, ...]


class Changed(Message, frozen=True):
    """What became of an experiment, `None` if it is gone; `revision` is what serves since."""

    revision: int
    after: Experiment | None = None
    moved: int = 0
    text: str = ""


class Described(Message, frozen=True):
    """How the host is."""

    board: Board


class Going(Message, frozen=True):
    """How far a report is, in [0, 1]."""

    share: float


class Reported(Message, frozen=True):
    """A report."""

    report: Report


Anything = (
    Open
    | See
    | Admit
    | Create
    | Update
    | Act
    | WritePermanent
    | Describe
    | Steer
    | Look
    | Done
    | Faulty
    | Changed
    | Described
    | Going
    | Reported
    | Refused
    | Broken
)

FRAMES: Final = msgspec.json.Decoder(Frame[Anything])
