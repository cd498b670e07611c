"""`completion_with_split_tests` without a server: provider names, and keys from the environment.

The Routers behind it are kept, by the names that they serve, for as long as the variables that
went into them say the same; so a key may be set after the import, or changed. A call that names an
experiment goes to the service, which alone knows what it is now.
"""

import os
import threading
from collections import OrderedDict
from collections.abc import Coroutine, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Final, Literal, Unpack, overload

from understudy import client
from understudy.client import forking
from understudy.client.parameters import CallParameters, MessageInput
from understudy.client.requests import name_split
from understudy.server.inprocess.router import Router
from understudy.server.inprocess.streams import AsyncStream, Stream
from understudy.v1.completion_pb2 import CreateCompletionResponse

MOST_ROUTERS: Final = 8  # each has a thread; one that is dropped ends once its calls have


class Consulted(Mapping[str, str]):
    """An environment that remembers what it was asked for, and what it said."""

    def __init__(self, environ: Mapping[str, str]) -> None:
        self._environ = environ
        self._said: dict[str, str | None] = {}

    def __getitem__(self, name: str) -> str:
        self._said[name] = self._environ.get(name)
        return self._environ[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._environ)

    def __len__(self) -> int:
        return len(self._environ)

    @property
    def stands(self) -> bool:
        """Whether it would say the same again."""
        return all(self._environ.get(name) == value for name, value in self._said.items())


@dataclass(slots=True)
class _Kept:
    """The Routers of one process, the last used last."""

    lock: threading.RLock = field(default_factory=threading.RLock)
    routers: OrderedDict[frozenset[str], tuple[Router, Consulted]] = field(
        default_factory=OrderedDict[frozenset[str], tuple[Router, Consulted]]
    )


# By generation, because a lock that was held at a fork is held for ever in the child.
_kept: dict[int, _Kept] = {}


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
) -> Stream | client.Stream: ...
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
) -> CreateCompletionResponse | Stream | client.Stream: ...
def completion_with_split_tests(
    models: Mapping[str, float] | None = None,
    messages: Iterable[MessageInput] = (),
    use_client: bool = False,
    override_client: bool = False,
    id: str | None = None,
    *,
    stream: bool = False,
    **parameters: Unpack[CallParameters],
) -> CreateCompletionResponse | Stream | client.Stream:
    """Answer a prompt with one of several models, drawn by their relative weights.

    Models are named as providers know them: `gpt-4`, `huggingface/https://…`, `azure/NAME`. Keys
    and bases come from OPENAI_API_KEY, HUGGINGFACE_API_KEY, AZURE_API_BASE and so on.

    A call with `use_client`, or with an `id`, is the client's function of the same name: the
    service at UNDERSTUDY_TARGET answers it, by the experiment `id`, with its own models and keys.
    Raises the client's errors.
    """
    if _needs_service(models, use_client, override_client, id):
        return client.completion_with_split_tests(
            models, messages, use_client, override_client, id, stream=stream, **parameters
        )
    router = _find_router(models)
    return router.completion(None, messages, stream=stream, models=models, **parameters)


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
) -> AsyncStream | client.AsyncStream: ...
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
) -> Coroutine[object, None, CreateCompletionResponse] | AsyncStream | client.AsyncStream: ...
def acompletion_with_split_tests(
    models: Mapping[str, float] | None = None,
    messages: Iterable[MessageInput] = (),
    use_client: bool = False,
    override_client: bool = False,
    id: str | None = None,
    *,
    stream: bool = False,
    **parameters: Unpack[CallParameters],
) -> Coroutine[object, None, CreateCompletionResponse] | AsyncStream | client.AsyncStream:
    """Answer a prompt as `completion_with_split_tests`: `await` this, or `async for` over it."""
    if _needs_service(models, use_client, override_client, id):
        return client.acompletion_with_split_tests(
            models, messages, use_client, override_client, id, stream=stream, **parameters
        )
    router = _find_router(models)
    return router.acompletion(None, messages, stream=stream, models=models, **parameters)


def _needs_service(
    models: Mapping[str, float] | None, use_client: bool, override_client: bool, id: str | None
) -> bool:
    return "experiment" in name_split(models, use_client, override_client, id)


def _find_router(models: Mapping[str, float] | None) -> Router:
    names = frozenset(models or ())
    generation = forking.generation()
    kept = _kept.get(generation) or _kept.setdefault(generation, _Kept())
    with kept.lock:
        found = kept.routers.get(names)
        if found is None or not found[1].stands:
            environ = Consulted(os.environ)
            found = kept.routers[names] = (_make_router(names, environ), environ)
        kept.routers.move_to_end(names)
        if len(kept.routers) > MOST_ROUTERS:
            kept.routers.popitem(last=False)
        return found[0]


def _make_router(names: frozenset[str], environ: Mapping[str, str]) -> Router:
    return Router(
        [{"model_name": name, "litellm_params": {"model": name}} for name in sorted(names)],
        # A script that asks for an answer does not expect files; a Router's operator may.
        understudy={"records": {"enabled": False}, "mirror": {"threads": 1}},
        environ=environ,
    )
