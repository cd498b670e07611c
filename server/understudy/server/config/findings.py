"""What reading a file brings to light that no table knows: things set that come to nothing.

A fault stops the service from starting; a finding is shown, and stops it only where something
that protected or recorded is missed.
"""

from dataclasses import dataclass

from understudy.server.config.document import Node
from understudy.server.config.standing_table import Standing


@dataclass(frozen=True, slots=True)
class Finding:
    """A key that is not what its line of the table says, and why."""

    name: str
    standing: Standing
    why: str
    place: str


class Findings:
    """The findings and notes of one configuration, in the order made."""

    def __init__(self) -> None:
        self.found: list[Finding] = []
        self.notes: list[str] = []

    def add(self, name: str, standing: Standing, why: str, node: Node) -> None:
        """Say what became of a key."""
        self.found.append(Finding(name, standing, why, node.place))

    def note(self, message: str) -> None:
        """Say something of the whole."""
        self.notes.append(message)
