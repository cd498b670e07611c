"""The client for threads. All that needs no I/O is elsewhere: `terms`, `requests`, `replies`.

Its twin for event loops, with the same methods, is `async_client`.
"""

import os
import time
from collections.abc import Callable, Iterable, Mapping
from types import TracebackType
from typing import Literal, Self, TypeVar, Unpack, overload

import grpc

from understudy.client import forking
from understudy.client.errors import NO_SERVER, UnderstudyError
from understudy.client.lines import Line, ProcessLines
from understudy.client.notices import Notices
from understudy.client.parameters import CallParameters, MessageInput, Parameters
from understudy.client.requests import name_split
from understudy.client.settings import Tls, read_settings
from understudy.client.stream import Stream
from understudy.client.sync_history import History
from understudy.client.terms import MODELS_PER_PAGE, Terms, tell_closed, warn_of_plaintext
from understudy.v1.completion_pb2 import (
    CreateCompletionRequest,
    CreateCompletionResponse,
    ListModelsRequest,
    Model,
)

T = TypeVar("T")


class Client(History):
    """A connection to Understudy, for use by any number of threads.

    What is not given is taken from UNDERSTUDY_TARGET, UNDERSTUDY_API_KEY, UNDERSTUDY_CA_FILE and
    UNDERSTUDY_TIMEOUT; the target is `localhost:50051` otherwise.

    Args:
        target: `host:port`, a comma list of them, `dns:///host:port` or `unix:/path`. Calls go
            round all healthy addresses. Names in a list are looked up once, and again when none
            of their addresses answers; prefer `dns:///` where addresses come and go.
        api_key: Sent as `authorization: Bearer KEY`.
        tls: `True`, or `Tls(ca_file=…, cert_file=…, key_file=…)`, or a dict of the same.
        timeout: Seconds for a call that does not say, repeats and pieces included.
        insecure: Says that sending the key unencrypted beyond this machine is meant.
    """

    def __init__(
        self,
        target: str | None = None,
        *,
        api_key: str | None = None,
        tls: bool | Tls | Mapping[str, str] | None = None,
        timeout: float | None = None,
        insecure: bool = False,
    ) -> None:
        settings = read_settings(target, api_key, tls, timeout, os.environ)
        self._terms = Terms(settings)
        self._lines = ProcessLines(settings)
        self._notices = Notices()
        if not insecure:
            warn_of_plaintext(settings)

    def __repr__(self) -> str:
        return f"Client({self._terms.settings.target.text!r})"

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
        """Answer a prompt; with `stream`, piece by piece.

        A stream is returned with its first piece: an error before that is raised here. Raises
        UnderstudyError; TypeError or ValueError for arguments that have no meaning.
        """
        request, timeout = self._terms.write_request(model, messages, parameters)
        return self._complete(request, timeout, stream)

    @overload
    def completion_with_split_tests(
        self,
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
        self,
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
        self,
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
        self,
        models: Mapping[str, float] | None = None,
        messages: Iterable[MessageInput] = (),
        use_client: bool = False,
        override_client: bool = False,
        id: str | None = None,
        *,
        stream: bool = False,
        **parameters: Unpack[CallParameters],
    ) -> CreateCompletionResponse | Stream:
        """Answer a prompt with one of several models, drawn by the server by their weights.

        With `use_client` the live experiment `id` decides, and is registered from `models` by the
        first call; with `override_client` it is `models` again that counts. Otherwise as
        `completion`. Warns once, by ExperimentWarning, when the experiment's split is not what
        `models` says, or cannot be followed yet.
        """
        target = name_split(models, use_client, override_client, id)
        request, timeout = self._terms.write_request(None, messages, {**parameters, **target})
        return self._complete(request, timeout, stream)

    def list_models(self, *, timeout: float | None = None) -> list[Model]:
        """List the model groups and aliases that a caller may name."""
        seconds = self._terms.timeout(timeout)
        models: list[Model] = []
        page = ListModelsRequest(page_size=MODELS_PER_PAGE)
        while True:
            reply = self._repeat(
                seconds,
                lambda line, left: line.stub.ListModels(
                    page, timeout=left, metadata=self._terms.metadata
                ),
            )
            models.extend(reply.models)
            if not reply.next_page_token:
                return models
            page.page_token = reply.next_page_token

    def raw_stub(self, kind: Callable[[grpc.Channel], T]) -> T:
        """Return a generated stub on this client's channel, such as `ExperimentServiceStub`.

        It is gRPC's own: it raises `grpc.RpcError`, repeats nothing, and sends the key only with
        `metadata=client.raw_metadata`. Ask again after a fork.
        """
        with forking.under_way():
            return kind(self._lines.line().channel)

    @property
    def raw_metadata(self) -> tuple[tuple[str, str], ...]:
        """The metadata for calls of a `raw_stub`. Holds the key: do not log it."""
        return self._terms.metadata

    def close(self) -> None:
        """Close the connection; calls under way raise Cancelled."""
        self._lines.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def _complete(
        self, request: CreateCompletionRequest, timeout: float, stream: bool
    ) -> CreateCompletionResponse | Stream:
        if stream:
            return self._repeat(
                timeout, lambda line, left: self._open_stream(line, request, left, timeout)
            )
        answer: CreateCompletionResponse = self._repeat(
            timeout,
            lambda line, left: line.stub.CreateCompletion(
                request, timeout=left, metadata=self._terms.metadata
            ),
        )
        self._notices.heed(request.experiment, answer.warnings)
        return answer

    def _open_stream(
        self, line: Line, request: CreateCompletionRequest, left: float, timeout: float
    ) -> Stream:
        call = line.stub.StreamCompletion(request, timeout=left, metadata=self._terms.metadata)
        try:
            first = next(call, None)
        except BaseException:
            call.cancel()
            raise
        return Stream(
            call,
            first,
            lambda error: self._tell(error, timeout),
            lambda piece: self._notices.heed(request.experiment, piece.warnings),
        )

    def _repeat(self, timeout: float, attempt: Callable[[Line, float], T]) -> T:
        """Make attempts until one succeeds or its error is final."""
        patience = self._terms.patience(timeout)
        while True:
            try:
                with forking.under_way():
                    return attempt(self._lines.line(), patience.remaining())
            except grpc.RpcError as error:
                told = self._tell(error, timeout)
                if told.reason == NO_SERVER:
                    self._lines.forget()
                wait = patience.wait_after(told)
                if wait is None:
                    try:
                        raise told from error
                    finally:
                        del told  # or the error and this frame would keep each other, and the call
            time.sleep(wait)

    def _tell(self, error: grpc.RpcError, timeout: float) -> UnderstudyError:
        if self._lines.closed and error.code() is grpc.StatusCode.CANCELLED:
            return tell_closed()
        return self._terms.tell(error, timeout)
