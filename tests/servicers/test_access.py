"""S-9: who may call what, cell by cell."""

import hashlib

import pytest

from understudy.server.domain.access import ApiKey, ClientCertificate, Identity, Role
from understudy.server.errors import AccessError, Reason
from understudy.server.servicers.access import NOBODY, ROLES, Access

KEYS = {role: f"key-of-{role.value}" for role in Role}
ACCESS = Access(
    [
        ApiKey(hashlib.sha256(key.encode()).hexdigest(), Identity.of(role.value, frozenset({role})))
        for role, key in KEYS.items()
    ],
    [ClientCertificate("spiffe://prod/billing", Identity.of("billing", frozenset({Role.CALLER})))],
)
CALLERS = {"CreateCompletion", "StreamCompletion", "ListModels", "CreateFeedback"}
COMPLETE = "/understudy.v1.CompletionService/CreateCompletion"
READS = ("Get", "List", "Watch")


def may(role: Role, method: str) -> bool:
    """The table of the design, written a second time."""
    name = method.rpartition("/")[2]
    if method.startswith("/grpc.health") or name in CALLERS or "reflection" in method:
        return True
    if name.startswith(READS):
        return role is not Role.CALLER
    return role is Role.OPERATOR


@pytest.mark.parametrize("method", sorted(ROLES))
@pytest.mark.parametrize("role", list(Role))
def test_a_role_may_what_the_table_says(role: Role, method: str) -> None:
    metadata = (("authorization", f"Bearer {KEYS[role]}"),)

    if may(role, method):
        ACCESS.admit(method, metadata, {})
        return
    with pytest.raises(AccessError) as caught:
        ACCESS.admit(method, metadata, {})
    assert caught.value.reason is Reason.ROLE_MISSING


@pytest.mark.parametrize("method", sorted(ROLES))
def test_without_a_key_only_health_answers(method: str) -> None:
    if method.startswith("/grpc.health"):
        assert ACCESS.admit(method, (), {}) == NOBODY
        return
    with pytest.raises(AccessError) as caught:
        ACCESS.admit(method, (), {})
    assert caught.value.reason is Reason.CREDENTIALS_MISSING


@pytest.mark.parametrize("header", ["", "Bearer", "Bearer ", "Basic abc", "Bearer wrong", b"\xff"])
def test_a_header_that_is_no_known_key_is_rejected(header: str | bytes) -> None:
    with pytest.raises(AccessError) as caught:
        ACCESS.admit(COMPLETE, (("authorization", header),), {})

    assert caught.value.reason is Reason.CREDENTIALS_REJECTED
    assert "wrong" not in caught.value.message


def test_a_certificate_proves_who_calls() -> None:
    auth = {"x509_subject_alternative_name": [b"spiffe://prod/billing"]}

    assert ACCESS.admit(COMPLETE, (), auth).name == "billing"


def test_a_method_without_a_row_is_open_to_nobody() -> None:
    with pytest.raises(AccessError):
        Access().admit("/understudy.v1.CompletionService/Surprise", (), {})


def test_no_key_is_in_a_repr() -> None:
    digest = hashlib.sha256(b"sk-canary").hexdigest()

    assert digest not in repr(ApiKey(digest, NOBODY))
