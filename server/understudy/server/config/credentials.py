"""Reads who may call, from the file: keys by their SHA-256, certificates by their subject.

A key itself is never kept, and nothing here is ever repeated in a fault.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from hashlib import sha256
from typing import Annotated

from pydantic import BeforeValidator, GetCoreSchemaHandler
from pydantic_core import CoreSchema, core_schema

from understudy.server.config.units import Name, UnreadableError
from understudy.server.domain.access import ApiKey, ClientCertificate, Identity, Role
from understudy.server.domain.deployment import Secret

MASTER_KEY = "master_key"
_MASTER_ROLES = frozenset({Role.OPERATOR, Role.READER})


class HiddenError(UnreadableError):
    """A fault in a value that may be a credential: the value is not shown with it."""


@dataclass(frozen=True, slots=True)
class ReadAs:
    """Says that a value stands in the file as another dataclass, and how the one makes the other."""

    entry: type
    convert: Callable[..., object]

    def __get_pydantic_core_schema__(
        self, source: object, handler: GetCoreSchemaHandler
    ) -> CoreSchema:
        return core_schema.no_info_after_validator_function(
            self.convert, handler.generate_schema(self.entry)
        )


def master_key(value: str) -> ApiKey:
    """Return LiteLLM's master key as a key of ours. Raises HiddenError if no caller could send it.

    It may change everything and read prompts, as it may there.
    """
    if not (value and value.isascii() and value.isprintable() and value == value.strip()):
        raise HiddenError("must be printable ASCII without spaces around it, or nobody can send it")
    digest = sha256(value.encode()).hexdigest()
    return ApiKey(digest, Identity.of(MASTER_KEY, _MASTER_ROLES))


def _digest(value: object) -> str:
    if not isinstance(value, str) or not re.fullmatch("[0-9A-Fa-f]{64}", value):
        raise HiddenError(
            "must be the 64 hexadecimal digits of the key's SHA-256, in quotes; "
            "printf %s KEY | sha256sum shows it"
        )
    return value.lower()


def secret(value: object) -> Secret:
    """Return a credential. Raises HiddenError for what is none."""
    if not isinstance(value, str) or not value or not value.isprintable():
        raise HiddenError("must be text without line breaks")
    return Secret(value)


def _roles(value: object) -> object:
    if value == ():
        raise UnreadableError("must name at least one of " + ", ".join(Role))
    return value


Roles = Annotated[tuple[Role, ...], BeforeValidator(_roles)]


@dataclass(frozen=True, slots=True)
class _KeyEntry:
    name: Name
    sha256: Annotated[str, BeforeValidator(_digest)]
    roles: Roles

    def to_key(self) -> ApiKey:
        return ApiKey(self.sha256, Identity.of(self.name, frozenset(self.roles)))


@dataclass(frozen=True, slots=True)
class _ClientEntry:
    subject: Name
    roles: Roles
    name: Name = ""

    def to_certificate(self) -> ClientCertificate:
        identity = Identity.of(self.name or self.subject, frozenset(self.roles))
        return ClientCertificate(self.subject, identity)


SecretField = Annotated[Secret, BeforeValidator(secret)]
ApiKeyField = Annotated[ApiKey, ReadAs(_KeyEntry, _KeyEntry.to_key)]
ClientField = Annotated[ClientCertificate, ReadAs(_ClientEntry, _ClientEntry.to_certificate)]
