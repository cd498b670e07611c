"""The Router: model groups asked in process, by the same engine as the service's.

All that happens is elsewhere: `configuring` reads the arguments, `engines` has the thread that
calls are made on, `answering` makes them.
"""

import asyncio
import os
import secrets
from collections.abc import Coroutine, Iterable, Mapping, Sequence
from concurrent.futures import Future
from types import TracebackType
from typing import Literal, Self, Unpack, cast, overload

from understudy.client.history import Judged, write_feedback
from understudy.client.parameters import MessageInput, Parameters
from understudy.client.requests import build_request
from understudy.client.settings import check_timeout
from understudy.server.inprocess.answering import answer, keep_feedback
from understudy.server.inprocess.configuring import read_config, warn_of_ignored
from understudy.server.inprocess.engines import Engines
from understudy.server.inprocess.streams import AsyncStream, Stream, Tap, wait
from understudy.server.inprocess.tracing import current_trace
from understudy.v1.completion_pb2 import CreateCompletionRequest, CreateCompletionResponse
from understudy.v1.record_pb2 import CreateFeedbackRequest

Entries = Sequence[Mapping[str, object]]


class Router:
    """Answers prompts in this process, for any number of threads and event loops.

    All share one thread and one event loop of its own, begun by the first call; in a child after
    a fork there is another. Close it, or let it be forgotten, and both end; so they do at exit.
    Silent models then have the time of `understudy.server.drain.grace` to finish. Records are kept
    as the service keeps them, unless `understudy={"records": {"enabled": False}}` says otherwise.

    Args:
        model_list: What LiteLLM's file has under `model_list`; `os.environ/NAME` works here too.
        understudy: What the file has under `understudy`, for mirroring, records and the like.
        environ: What `os.environ/NAME` and the providers' own variables mean; by default the
            environment.
        allow_unusable: Start although a deployment with a share cannot be asked.
        num_retries: And the others up to `model_group_alias`: as under `router_settings`.
        others: Further arguments of LiteLLM's Router. What comes to nothing is warned of by name;
            what protected or recorded something is refused, unless the `understudy` section names
            it in `accept_ignored`.

    Raises ConfigError, with the path of each fault.
    """

    def __init__(
        self,
        model_list: Entries | None = None,
        *,
        understudy: Mapping[str, object] | None = None,
        environ: Mapping[str, str] | None = None,
        allow_unusable: bool = False,
        num_retries: int | None = None,
        retry_after: float | None = None,
        timeout: float | str | None = None,
        stream_timeout: float | str | None = None,
        fallbacks: Sequence[Mapping[str, Sequence[str]]] | None = None,
        default_fallbacks: Sequence[str] | None = None,
        context_window_fallbacks: Sequence[Mapping[str, Sequence[str]]] | None = None,
        content_policy_fallbacks: Sequence[Mapping[str, Sequence[str]]] | None = None,
        max_fallbacks: int | None = None,
        default_max_parallel_requests: int | None = None,
        model_group_alias: Mapping[str, str | Mapping[str, object]] | None = None,
        **others: object,
    ) -> None:
        settings: dict[str, object] = {
            "num_retries": num_retries,
            "retry_after": retry_after,
            "timeout": timeout,
            "stream_timeout": stream_timeout,
            "fallbacks": fallbacks,
            "default_fallbacks": default_fallbacks,
            "context_window_fallbacks": context_window_fallbacks,
            "content_policy_fallbacks": content_policy_fallbacks,
            "max_fallbacks": max_fallbacks,
            "default_max_parallel_requests": default_max_parallel_requests,
            "model_group_alias": model_group_alias,
            **others,
        }
        config = read_config(
            model_list,
            settings,
            understudy,
            os.environ if environ is None else environ,
            allow_unusable=allow_unusable,
        )
        warn_of_ignored(config, settings, stacklevel=2)
        self._groups = len(config.snapshot.groups)
        self._timeout = config.settings.server.default_timeout
        self._engines = Engines(config)

    def __repr__(self) -> str:
        return f"Router(model_groups={self._groups})"

    @overload
    def completion(
        self,
        model: str | None = None,
        messages: Iterable[MessageInput] = (),
        *,
        stream: Literal[False] = False,
        **parameters: Unpack[Parameters],
    ) -> CreateCompletionResponse: ...
    @overload
    def completion(
        self,
        model: str | None = None,
        messages: Iterable[MessageInput] = (),
        *,
        stream: Literal[True],
        **parameters: Unpack[Parameters],
    ) -> Stream: ...
    @overload
    def completion(
        self,
        model: str | None = None,
        messages: Iterable[MessageInput] = (),
        *,
        stream: bool,
        **parameters: Unpack[Parameters],
    ) -> CreateCompletionResponse | Stream: ...
    def completion(
        self,
        model: str | None = None,
        messages: Iterable[MessageInput] = (),
        *,
        stream: bool = False,
        **parameters: Unpack[Parameters],
    ) -> CreateCompletionResponse | Stream:
        """Answer a prompt, as `understudy.client.Client.completion` does, with the same errors."""
        request, timeout = self._write_request(model, messages, parameters)
        if stream:
            return Stream(Tap(self._engines, request, timeout))
        trace = current_trace()
        call = self._engines.background().submit(
            lambda engine: answer(engine, request, timeout, trace)
        )
        return wait(call)

    @overload
    def acompletion(
        self,
        model: str | None = None,
        messages: Iterable[MessageInput] = (),
        *,
        stream: Literal[False] = False,
        **parameters: Unpack[Parameters],
    ) -> Coroutine[object, None, CreateCompletionResponse]: ...
    @overload
    def acompletion(
        self,
        model: str | None = None,
        messages: Iterable[MessageInput] = (),
        *,
        stream: Literal[True],
        **parameters: Unpack[Parameters],
    ) -> AsyncStream: ...
    @overload
    def acompletion(
        self,
        model: str | None = None,
        messages: Iterable[MessageInput] = (),
        *,
        stream: bool,
        **parameters: Unpack[Parameters],
    ) -> Coroutine[object, None, CreateCompletionResponse] | AsyncStream: ...
    def acompletion(
        self,
        model: str | None = None,
        messages: Iterable[MessageInput] = (),
        *,
        stream: bool = False,
        **parameters: Unpack[Parameters],
    ) -> Coroutine[object, None, CreateCompletionResponse] | AsyncStream:
        """Answer a prompt, as `understudy.client.AsyncClient.completion` does."""
        request, timeout = self._write_request(model, messages, parameters)
        if stream:
            return AsyncStream(lambda: Tap(self._engines, request, timeout))
        return self._answer(request, timeout)

    def feedback(
        self,
        answer: Judged,
        metric: str,
        value: bool | float | str,
        *,
        silent_model: str = "",
        feedback_id: str = "",
        timeout: float | None = None,
    ) -> str:
        """Say what an answer was worth, as `understudy.client.Client.feedback` does."""
        name = feedback_id or secrets.token_hex(16)
        request = write_feedback(answer, metric, value, silent_model, name)
        return wait(self._keep(request, timeout))

    async def afeedback(
        self,
        answer: Judged,
        metric: str,
        value: bool | float | str,
        *,
        silent_model: str = "",
        feedback_id: str = "",
        timeout: float | None = None,
    ) -> str:
        """Say what an answer was worth, as `understudy.client.AsyncClient.feedback` does."""
        name = feedback_id or secrets.token_hex(16)
        request = write_feedback(answer, metric, value, silent_model, name)
        return await asyncio.wrap_future(self._keep(request, timeout))

    def close(self) -> None:
        """End the engine and its thread; calls under way raise Cancelled."""
        self._engines.close().result()

    async def aclose(self) -> None:
        """End the engine and its thread; calls under way raise Cancelled."""
        await asyncio.wrap_future(self._engines.close())

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self.aclose()

    async def _answer(
        self, request: CreateCompletionRequest, timeout: float
    ) -> CreateCompletionResponse:
        trace = current_trace()
        call = self._engines.background().submit(
            lambda engine: answer(engine, request, timeout, trace)
        )
        return await asyncio.wrap_future(call)

    def _keep(self, request: CreateFeedbackRequest, timeout: float | None) -> Future[str]:
        seconds = self._timeout if timeout is None else check_timeout(timeout)
        return self._engines.background().submit(
            lambda engine: keep_feedback(engine, request, seconds)
        )

    def _write_request(
        self,
        model: str | None,
        messages: Iterable[MessageInput],
        parameters: Mapping[str, object],
    ) -> tuple[CreateCompletionRequest, float]:
        others = dict(parameters)
        timeout = cast("float | None", others.pop("timeout", None))
        seconds = self._timeout if timeout is None else check_timeout(timeout)
        return build_request(model, messages, others), seconds
