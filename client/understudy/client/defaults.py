"""The functions of this package: those of a client made from the environment.

The environment is read at each call, so that it may be set after the import; clients are kept by
what it said. An asynchronous client serves every event loop.
"""

import os
from collections.abc import AsyncIterator, Coroutine, Iterable, Iterator, Mapping
from typing import Literal, Unpack, overload

from understudy.client.async_client import AsyncClient
from understudy.client.async_stream import AsyncStream
from understudy.client.history import Judged, Since
from understudy.client.parameters import CallParameters, MessageInput, Parameters
from understudy.client.settings import ENVIRONMENT
from understudy.client.stream import Stream
from understudy.client.sync_client import Client
from understudy.v1.completion_pb2 import CreateCompletionResponse, Model
from understudy.v1.record_pb2 import Pair, Record

Environment = tuple[str | None, ...]

_clients: dict[Environment, Client] = {}
_async_clients: dict[Environment, AsyncClient] = {}


@overload
def completion(
    model: str | None = None,
    messages: Iterable[MessageInput] = (),
    *,
    stream: Literal[False] = False,
    **parameters: Unpack[Parameters],
) -> CreateCompletionResponse: ...
@overload
def completion(
    model: str | None = None,
    messages: Iterable[MessageInput] = (),
    *,
    stream: Literal[True],
    **parameters: Unpack[Parameters],
) -> Stream: ...
@overload
def completion(
    model: str | None = None,
    messages: Iterable[MessageInput] = (),
    *,
    stream: bool,
    **parameters: Unpack[Parameters],
) -> CreateCompletionResponse | Stream: ...
def completion(
    model: str | None = None,
    messages: Iterable[MessageInput] = (),
    *,
    stream: bool = False,
    **parameters: Unpack[Parameters],
) -> CreateCompletionResponse | Stream:
    """Answer a prompt, as `Client.completion`."""
    return _client().completion(model, messages, stream=stream, **parameters)


@overload
def acompletion(
    model: str | None = None,
    messages: Iterable[MessageInput] = (),
    *,
    stream: Literal[False] = False,
    **parameters: Unpack[Parameters],
) -> Coroutine[object, None, CreateCompletionResponse]: ...
@overload
def acompletion(
    model: str | None = None,
    messages: Iterable[MessageInput] = (),
    *,
    stream: Literal[True],
    **parameters: Unpack[Parameters],
) -> AsyncStream: ...
@overload
def acompletion(
    model: str | None = None,
    messages: Iterable[MessageInput] = (),
    *,
    stream: bool,
    **parameters: Unpack[Parameters],
) -> Coroutine[object, None, CreateCompletionResponse] | AsyncStream: ...
def acompletion(
    model: str | None = None,
    messages: Iterable[MessageInput] = (),
    *,
    stream: bool = False,
    **parameters: Unpack[Parameters],
) -> Coroutine[object, None, CreateCompletionResponse] | AsyncStream:
    """Answer a prompt, as `AsyncClient.completion`."""
    return _async_client().completion(model, messages, stream=stream, **parameters)


@overload
def completion_with_split_tests(
    models: Mapping[str, float] | None = None,
    messages: Iterable[MessageInput] = (),
    use_client: bool = False,
    override_client: bool = False,
    id: str | None = None,
    *,
    stream: Literal[False] = False,
    **parameters: Unpack[CallParameters],
) -> CreateCompletionResponse: ...
@overload
def completion_with_split_tests(
    models: Mapping[str, float] | None = None,
    messages: Iterable[MessageInput] = (),
    use_client: bool = False,
    override_client: bool = False,
    id: str | None = None,
    *,
    stream: Literal[True],
    **parameters: Unpack[CallParameters],
) -> Stream: ...
@overload
def completion_with_split_tests(
    models: Mapping[str, float] | None = None,
    messages: Iterable[MessageInput] = (),
    use_client: bool = False,
    override_client: bool = False,
    id: str | None = None,
    *,
    stream: bool,
    **parameters: Unpack[CallParameters],
) -> CreateCompletionResponse | Stream: ...
def completion_with_split_tests(
    models: Mapping[str, float] | None = None,
    messages: Iterable[MessageInput] = (),
    use_client: bool = False,
    override_client: bool = False,
    id: str | None = None,
    *,
    stream: bool = False,
    **parameters: Unpack[CallParameters],
) -> CreateCompletionResponse | Stream:
    """Answer a prompt with a drawn model, as `Client.completion_with_split_tests`."""
    return _client().completion_with_split_tests(
        models, messages, use_client, override_client, id, stream=stream, **parameters
    )


@overload
def acompletion_with_split_tests(
    models: Mapping[str, float] | None = None,
    messages: Iterable[MessageInput] = (),
    use_client: bool = False,
    override_client: bool = False,
    id: str | None = None,
    *,
    stream: Literal[False] = False,
    **parameters: Unpack[CallParameters],
) -> Coroutine[object, None, CreateCompletionResponse]: ...
@overload
def acompletion_with_split_tests(
    models: Mapping[str, float] | None = None,
    messages: Iterable[MessageInput] = (),
    use_client: bool = False,
    override_client: bool = False,
    id: str | None = None,
    *,
    stream: Literal[True],
    **parameters: Unpack[CallParameters],
) -> AsyncStream: ...
@overload
def acompletion_with_split_tests(
    models: Mapping[str, float] | None = None,
    messages: Iterable[MessageInput] = (),
    use_client: bool = False,
    override_client: bool = False,
    id: str | None = None,
    *,
    stream: bool,
    **parameters: Unpack[CallParameters],
) -> Coroutine[object, None, CreateCompletionResponse] | AsyncStream: ...
def acompletion_with_split_tests(
    models: Mapping[str, float] | None = None,
    messages: Iterable[MessageInput] = (),
    use_client: bool = False,
    override_client: bool = False,
    id: str | None = None,
    *,
    stream: bool = False,
    **parameters: Unpack[CallParameters],
) -> Coroutine[object, None, CreateCompletionResponse] | AsyncStream:
    """Answer a prompt with a drawn model, as `AsyncClient.completion_with_split_tests`."""
    return _async_client().completion_with_split_tests(
        models, messages, use_client, override_client, id, stream=stream, **parameters
    )


def list_models(*, timeout: float | None = None) -> list[Model]:
    """List the model groups and aliases that a caller may name."""
    return _client().list_models(timeout=timeout)


def alist_models(*, timeout: float | None = None) -> Coroutine[object, None, list[Model]]:
    """List the model groups and aliases that a caller may name."""
    return _async_client().list_models(timeout=timeout)


def feedback(
    answer: Judged,
    metric: str,
    value: bool | float | str,
    *,
    silent_model: str = "",
    feedback_id: str = "",
    timeout: float | None = None,
) -> str:
    """Say what an answer was worth, as `Client.feedback`."""
    return _client().feedback(
        answer, metric, value, silent_model=silent_model, feedback_id=feedback_id, timeout=timeout
    )


def afeedback(
    answer: Judged,
    metric: str,
    value: bool | float | str,
    *,
    silent_model: str = "",
    feedback_id: str = "",
    timeout: float | None = None,
) -> Coroutine[object, None, str]:
    """Say what an answer was worth, as `AsyncClient.feedback`."""
    return _async_client().feedback(
        answer, metric, value, silent_model=silent_model, feedback_id=feedback_id, timeout=timeout
    )


def records(
    filter: str = "",
    *,
    since: Since | None = None,
    order_by: str = "",
    timeout: float | None = None,
) -> Iterator[Record]:
    """Go through upstream calls, as `Client.records`."""
    return _client().records(filter, since=since, order_by=order_by, timeout=timeout)


def pairs(
    filter: str = "",
    *,
    since: Since | None = None,
    order_by: str = "",
    timeout: float | None = None,
) -> Iterator[Pair]:
    """Go through requests that were played to a silent model, as `Client.pairs`."""
    return _client().pairs(filter, since=since, order_by=order_by, timeout=timeout)


def arecords(
    filter: str = "",
    *,
    since: Since | None = None,
    order_by: str = "",
    timeout: float | None = None,
) -> AsyncIterator[Record]:
    """Go through upstream calls, as `AsyncClient.records`."""
    return _async_client().records(filter, since=since, order_by=order_by, timeout=timeout)


def apairs(
    filter: str = "",
    *,
    since: Since | None = None,
    order_by: str = "",
    timeout: float | None = None,
) -> AsyncIterator[Pair]:
    """Go through requests that were played to a silent model, as `AsyncClient.pairs`."""
    return _async_client().pairs(filter, since=since, order_by=order_by, timeout=timeout)


def _client() -> Client:
    environment = _environment()
    return _clients.get(environment) or _clients.setdefault(environment, Client())


def _async_client() -> AsyncClient:
    environment = _environment()
    return _async_clients.get(environment) or _async_clients.setdefault(environment, AsyncClient())


def _environment() -> Environment:
    return tuple(map(os.environ.get, ENVIRONMENT))
