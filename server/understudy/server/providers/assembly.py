"""Joins the deltas of a stream into the answer that they are pieces of. Pure.

Shared by every dialect that streams. Telling a whole stream from a cut one is the reader's task.
"""

from collections.abc import Iterable

from msgspec import UNSET, Struct, UnsetType, field

from understudy.server.domain.chat import Extra, FunctionCall, Message, ToolCall
from understudy.server.domain.completion import (
    Choice,
    Completion,
    Delta,
    Logprobs,
    TokenLogprob,
    Usage,
    Warning,
)
from understudy.server.providers.bounded import MOST
from understudy.server.providers.decoding import malformed


class _OpenCall(Struct):
    id: str = ""
    type: str = ""
    name: str = ""
    arguments: list[str] = field(default_factory=list[str])
    extra: Extra | UnsetType = UNSET


class _OpenChoice(Struct):
    role: str = ""
    content: list[str] | None = None
    refusal: list[str] | None = None
    reasoning: list[str] = field(default_factory=list[str])
    calls: dict[int, _OpenCall] = field(default_factory=dict[int, _OpenCall])
    places: dict[int, int] = field(default_factory=dict[int, int])  # by the provider's index
    tokens: list[TokenLogprob] = field(default_factory=list[TokenLogprob])
    refusal_tokens: list[TokenLogprob] = field(default_factory=list[TokenLogprob])
    finish_reason: str = ""
    announced: bool = False


class Assembly:
    """An answer in the making."""

    def __init__(self) -> None:
        self._choices: dict[int, _OpenChoice] = {}
        self._head = Delta(())
        self._usage: Usage | None = None
        self._cost: int | None = None

    @property
    def is_finished(self) -> bool:
        """Whether there are choices and each has said why it ended."""
        return bool(self._choices) and all(one.finish_reason for one in self._choices.values())

    def add(self, delta: Delta) -> Delta | None:
        """Take a piece; return what of it is worth passing on.

        A piece that says nothing, as the first one does that only names the role, is kept back:
        its role goes with the words that follow, and until then nobody is committed to anything.
        """
        if not (self._head.id or self._head.model):
            self._head = delta
        if delta.usage is not None:
            self._usage = delta.usage
        if delta.provider_cost_nano_usd is not None:
            self._cost = delta.provider_cost_nano_usd
        told = tuple(piece for one in delta.choices if (piece := self._take(one)) is not None)
        if not told:
            return None
        return Delta(
            told,
            delta.id,
            delta.model,
            delta.created,
            system_fingerprint=delta.system_fingerprint,
            service_tier=delta.service_tier,
        )

    def complete(self, warnings: Iterable[Warning]) -> Completion:
        """Return the whole answer."""
        head = self._head
        return Completion(
            tuple(_close(index, one) for index, one in sorted(self._choices.items())),
            head.id,
            head.model,
            head.created,
            self._usage,
            head.system_fingerprint,
            head.service_tier,
            tuple(warnings),
            self._cost,
        )

    def _take(self, piece: Choice) -> Choice | None:
        choice = self._choices.get(piece.index)
        if choice is None:
            choice = self._choices[piece.index] = _OpenChoice()
        message = piece.message
        choice.role = choice.role or message.role
        speaks = bool(piece.finish_reason)
        choice.finish_reason = piece.finish_reason or choice.finish_reason
        if isinstance(content := message.content, str):
            if choice.content is None:
                choice.content = []
            choice.content.append(content)
            speaks = speaks or content != ""
        if message.refusal is not UNSET:
            if choice.refusal is None:
                choice.refusal = []
            choice.refusal.append(message.refusal)
            speaks = speaks or message.refusal != ""
        if message.reasoning_content is not UNSET:
            choice.reasoning.append(message.reasoning_content)
            speaks = True
        calls = message.tool_calls
        if calls is not UNSET:
            calls = tuple(_take_call(choice, one) for one in calls)
            speaks = True
        if piece.logprobs is not None:
            choice.tokens.extend(piece.logprobs.content)
            choice.refusal_tokens.extend(piece.logprobs.refusal)
            speaks = True
        if not speaks:
            return None
        role = "" if choice.announced else choice.role or "assistant"
        choice.announced = True
        told = Message(
            role,
            content,
            tool_calls=calls,
            refusal=message.refusal,
            reasoning_content=message.reasoning_content,
        )
        return Choice(piece.index, told, piece.finish_reason, piece.logprobs)


def as_delta(completion: Completion) -> Delta:
    """Return a whole answer as the one piece of a stream, for servers that do not stream."""
    return Delta(
        tuple(map(_as_piece, completion.choices)),
        completion.id,
        completion.model,
        completion.created,
        system_fingerprint=completion.system_fingerprint,
        service_tier=completion.service_tier,
    )


def _as_piece(choice: Choice) -> Choice:
    message = choice.message
    if message.tool_calls is UNSET:
        return choice
    calls = tuple(
        ToolCall(one.id, one.type, one.function, at, one.extra)
        for at, one in enumerate(message.tool_calls)
    )
    piece = Message(
        message.role,
        message.content,
        tool_calls=calls,
        refusal=message.refusal,
        reasoning_content=message.reasoning_content,
    )
    return Choice(choice.index, piece, choice.finish_reason, choice.logprobs)


def _take_call(choice: _OpenChoice, piece: ToolCall) -> ToolCall:
    """Add a piece to its call, and return it with the index that says which one that is."""
    place = _place_of(choice, piece)
    if place >= MOST:
        raise malformed(f"it calls more than {MOST} tools")
    call = choice.calls.setdefault(place, _OpenCall())
    if piece.id is not UNSET:
        call.id = piece.id
    if piece.type is not UNSET:
        call.type = piece.type
    if piece.extra is not UNSET:
        call.extra = piece.extra
    if piece.function is not UNSET:
        if piece.function.name is not UNSET:
            call.name = piece.function.name
        call.arguments.append(piece.function.arguments)
    return ToolCall(piece.id, piece.type, piece.function, place, piece.extra)


def _place_of(choice: _OpenChoice, piece: ToolCall) -> int:
    """Return which call a piece belongs to; some servers leave that to the id, or to luck."""
    calls, index = choice.calls, piece.index
    begins = piece.function is not UNSET and piece.function.name is not UNSET
    newest = max(calls, default=-1)
    if index is not UNSET:
        place = choice.places.get(index, newest + 1 if index in calls else index)
        known = calls.get(place)
        if (
            known is not None
            and begins
            and piece.id is not UNSET
            and known.id not in ("", piece.id)
        ):
            place = newest + 1  # Gemini says 0 of each of its parallel calls
        choice.places[index] = place
        return place
    if not calls:
        return 0
    if piece.id is not UNSET:
        return next((at for at, call in calls.items() if call.id == piece.id), newest + 1)
    return newest + 1 if begins else newest


def _close(index: int, choice: _OpenChoice) -> Choice:
    calls = tuple(
        ToolCall(
            call.id or UNSET,
            call.type or "function",
            FunctionCall(call.name or UNSET, "".join(call.arguments)),
            extra=call.extra,
        )
        for _, call in sorted(choice.calls.items())
    )
    logprobs = None
    if choice.tokens or choice.refusal_tokens:
        logprobs = Logprobs(tuple(choice.tokens), tuple(choice.refusal_tokens))
    message = Message(
        choice.role or "assistant",
        None if choice.content is None else "".join(choice.content),
        tool_calls=calls or UNSET,
        refusal=UNSET if choice.refusal is None else "".join(choice.refusal),
        reasoning_content="".join(choice.reasoning) or UNSET,
    )
    return Choice(index, message, choice.finish_reason, logprobs)
