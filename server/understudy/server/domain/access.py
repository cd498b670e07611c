"""Who a caller is and what it may do. Values only; the RPC → role table is `servicers.access`."""

from dataclasses import dataclass, field
from enum import StrEnum


class Role(StrEnum):
    """What a key is good for.

    A viewer may do all that a caller may, a reader all that a viewer may. An operator may do all
    that a viewer may and every change, but sees prompts and answers only if it is a reader too.
    """

    CALLER = "caller"
    VIEWER = "viewer"
    READER = "reader"
    OPERATOR = "operator"

    @property
    def implied(self) -> frozenset["Role"]:
        """Itself, and every role whose rights it includes."""
        return _IMPLIED[self]


_IMPLIED = {
    Role.CALLER: frozenset({Role.CALLER}),
    Role.VIEWER: frozenset({Role.VIEWER, Role.CALLER}),
    Role.READER: frozenset({Role.READER, Role.VIEWER, Role.CALLER}),
    Role.OPERATOR: frozenset({Role.OPERATOR, Role.VIEWER, Role.CALLER}),
}


@dataclass(frozen=True, slots=True)
class Identity:
    """A caller that has proved who it is. `roles` is closed under implication."""

    name: str
    roles: frozenset[Role]

    @staticmethod
    def of(name: str, roles: frozenset[Role]) -> "Identity":
        """Return the identity with these roles and all that they imply."""
        return Identity(name, frozenset(implied for role in roles for implied in role.implied))


@dataclass(frozen=True, slots=True)
class ApiKey:
    """A key by its SHA-256, the key itself being nowhere. `sha256` has 64 lower-case digits."""

    sha256: str = field(repr=False)
    identity: Identity


@dataclass(frozen=True, slots=True)
class ClientCertificate:
    """A client certificate by its subject alternative name or common name."""

    subject: str
    identity: Identity
