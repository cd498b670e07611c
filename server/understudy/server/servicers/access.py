"""Who may call what: the only table RPC → role, and the proof of who calls."""

import hashlib
import hmac
from collections.abc import Iterable, Mapping, Sequence
from contextvars import ContextVar
from types import MappingProxyType

from understudy.server.domain.access import ApiKey, ClientCertificate, Identity, Role
from understudy.server.errors import AccessError, Reason

_COMPLETION = "/understudy.v1.CompletionService/"
_EXPERIMENT = "/understudy.v1.ExperimentService/"
_RECORD = "/understudy.v1.RecordService/"
_OPERATIONS = "/understudy.v1.OperationsService/"
_REFLECTION = "ServerReflection/ServerReflectionInfo"

# None: needs no key. A method without a row is refused to everybody.
ROLES: Mapping[str, Role | None] = MappingProxyType(
    {
        "/grpc.health.v1.Health/Check": None,
        "/grpc.health.v1.Health/Watch": None,
        "/grpc.health.v1.Health/List": None,
        f"/grpc.reflection.v1.{_REFLECTION}": Role.CALLER,
        f"/grpc.reflection.v1alpha.{_REFLECTION}": Role.CALLER,
        f"{_COMPLETION}CreateCompletion": Role.CALLER,
        f"{_COMPLETION}StreamCompletion": Role.CALLER,
        f"{_COMPLETION}ListModels": Role.CALLER,
        f"{_EXPERIMENT}CreateExperiment": Role.OPERATOR,
        f"{_EXPERIMENT}GetExperiment": Role.VIEWER,
        f"{_EXPERIMENT}ListExperiments": Role.VIEWER,
        f"{_EXPERIMENT}UpdateExperiment": Role.OPERATOR,
        f"{_EXPERIMENT}DeleteExperiment": Role.OPERATOR,
        f"{_EXPERIMENT}StartExperiment": Role.OPERATOR,
        f"{_EXPERIMENT}PauseExperiment": Role.OPERATOR,
        f"{_EXPERIMENT}ResumeExperiment": Role.OPERATOR,
        f"{_EXPERIMENT}RollbackExperiment": Role.OPERATOR,
        f"{_EXPERIMENT}ConcludeExperiment": Role.OPERATOR,
        f"{_EXPERIMENT}WatchExperiments": Role.VIEWER,
        f"{_EXPERIMENT}ListAuditEntries": Role.VIEWER,
        f"{_RECORD}ListRecords": Role.VIEWER,
        f"{_RECORD}ListPairs": Role.VIEWER,
        f"{_RECORD}GetPair": Role.VIEWER,
        f"{_RECORD}GetReport": Role.VIEWER,
        f"{_RECORD}CreateFeedback": Role.CALLER,
        f"{_OPERATIONS}GetStatus": Role.VIEWER,
        f"{_OPERATIONS}PauseMirroring": Role.OPERATOR,
        f"{_OPERATIONS}ResumeMirroring": Role.OPERATOR,
    }
)

EVERYBODY = Identity("loopback", frozenset(Role))
NOBODY = Identity("", frozenset())

caller: ContextVar[Identity] = ContextVar("caller", default=NOBODY)
"""Who makes the call that the current task serves."""

Metadata = Sequence[tuple[str, str | bytes]]
AuthContext = Mapping[str, Iterable[bytes]]


class Access:
    """Knows the keys and certificates. With neither, everybody is an operator and a reader."""

    def __init__(
        self, keys: Sequence[ApiKey] = (), certificates: Sequence[ClientCertificate] = ()
    ) -> None:
        self.use(keys, certificates)

    def use(self, keys: Sequence[ApiKey], certificates: Sequence[ClientCertificate]) -> None:
        """Know these instead, from the next call on."""
        self._keys = [(bytes.fromhex(one.sha256), one.identity) for one in keys]
        self._certificates = {one.subject: one.identity for one in certificates}

    @property
    def is_open(self) -> bool:
        """Whether nobody has to prove anything."""
        return not self._keys and not self._certificates

    @property
    def wants_certificates(self) -> bool:
        """Whether a certificate may prove who calls."""
        return bool(self._certificates)

    def admit(self, method: str, metadata: Metadata, auth: AuthContext) -> Identity:
        """Return who calls, if it may call this method. Raises AccessError."""
        if method not in ROLES:
            raise AccessError(Reason.ROLE_MISSING, "this method is open to nobody")
        role = ROLES[method]
        if role is None:
            return NOBODY
        identity = EVERYBODY if self.is_open else self._identify(metadata, auth)
        if role not in identity.roles:
            raise AccessError(
                Reason.ROLE_MISSING,
                f"{identity.name!r} lacks the role {role.value!r}",
                metadata={"role": role.value},
            )
        return identity

    def _identify(self, metadata: Metadata, auth: AuthContext) -> Identity:
        header = next((value for key, value in metadata if key == "authorization"), None)
        if header is not None:
            return self._identify_key(header)
        for source in ("x509_subject_alternative_name", "x509_common_name"):
            for subject in auth.get(source, ()):
                identity = self._certificates.get(subject.decode(errors="replace"))
                if identity is not None:
                    return identity
        raise AccessError(
            Reason.CREDENTIALS_MISSING,
            "send metadata `authorization: Bearer KEY`"
            + (" or use a client certificate known here" if self._certificates else ""),
        )

    def _identify_key(self, header: str | bytes) -> Identity:
        text = header.decode(errors="replace") if isinstance(header, bytes) else header
        scheme, _, key = text.partition(" ")
        if scheme.lower() != "bearer" or not key.strip():
            raise AccessError(
                Reason.CREDENTIALS_REJECTED, "the authorization metadata is not `Bearer KEY`"
            )
        digest = hashlib.sha256(key.strip().encode()).digest()
        found: Identity | None = None
        for known, identity in self._keys:  # all of them, so that time tells nothing
            if hmac.compare_digest(known, digest):
                found = identity
        if found is None:
            raise AccessError(Reason.CREDENTIALS_REJECTED, "this key is not known here")
        return found
