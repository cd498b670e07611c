"""Asks Understudy for completions, in OpenAI's terms.

    from understudy import client

    r = client.completion(model="gpt-3.5-turbo", messages=[{"role": "user", "content": "hi"}])
    print(r.choices[0].message.content)

    for piece in client.completion(model="gpt-4", messages=[...], stream=True): ...

    r = await client.acompletion(model="gpt-4", messages=[...])
    async for piece in client.acompletion(model="gpt-4", messages=[...], stream=True): ...

    client.feedback(r, "helpful", True)
    for record in client.records(since="7d"): ...

    with client.Client("host:50051", api_key=..., tls=True, timeout=30) as c:
        c.completion(models={"gpt-4": 0.8, "llama-2": 0.2}, messages=[...])

Messages and tools are dicts in OpenAI's shape or messages of `understudy.v1`; answers are messages
of `understudy.v1`, and `to_dict` gives them OpenAI's shape. Every failure is an `UnderstudyError`
with a `reason`: `errors` draws the tree.

Clients may be used by any number of threads and event loops. A process may fork between calls, and
both sides may go on; a child forked in the middle of a call is told so by an error.

This module is the only public door; it needs grpcio and protobuf, and nothing of the server.
"""

from understudy.client.async_client import AsyncClient
from understudy.client.async_stream import AsyncStream
from understudy.client.defaults import (
    acompletion,
    acompletion_with_split_tests,
    afeedback,
    alist_models,
    apairs,
    arecords,
    completion,
    completion_with_split_tests,
    feedback,
    list_models,
    pairs,
    records,
)
from understudy.client.errors import (
    Aborted,
    AlreadyExists,
    Cancelled,
    DataLoss,
    DeadlineExceeded,
    FailedPrecondition,
    Internal,
    InvalidArgument,
    NotFound,
    OutOfRange,
    PermissionDenied,
    ResourceExhausted,
    Unauthenticated,
    Unavailable,
    UnderstudyError,
    Unimplemented,
    Unknown,
    Violation,
)
from understudy.client.notices import ExperimentWarning
from understudy.client.replies import to_dict
from understudy.client.settings import Tls
from understudy.client.stream import Stream
from understudy.client.sync_client import Client
from understudy.client.terms import PlaintextKeyWarning

__all__ = [
    "Aborted",
    "AlreadyExists",
    "AsyncClient",
    "AsyncStream",
    "Cancelled",
    "Client",
    "DataLoss",
    "DeadlineExceeded",
    "ExperimentWarning",
    "FailedPrecondition",
    "Internal",
    "InvalidArgument",
    "NotFound",
    "OutOfRange",
    "PermissionDenied",
    "PlaintextKeyWarning",
    "ResourceExhausted",
    "Stream",
    "Tls",
    "Unauthenticated",
    "Unavailable",
    "UnderstudyError",
    "Unimplemented",
    "Unknown",
    "Violation",
    "acompletion",
    "acompletion_with_split_tests",
    "afeedback",
    "alist_models",
    "apairs",
    "arecords",
    "completion",
    "completion_with_split_tests",
    "feedback",
    "list_models",
    "pairs",
    "records",
    "to_dict",
]
