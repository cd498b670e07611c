"""Turns answers into dicts of OpenAI's shape.

What Understudy adds is under one key, `understudy`. The way there is `messages` and `requests`;
what was recorded of calls is `recorded`.
"""

import json
from typing import Any, cast

from google.protobuf.message import Message

from understudy.client.recorded import write_feedback, write_pair, write_record
from understudy.v1.chat_pb2 import (
    ChatMessage,
    ContentPart,
    Logprobs,
    TokenLogprob,
    ToolCall,
    TopLogprob,
    Usage,
)
from understudy.v1.completion_pb2 import (
    Choice,
    ChoiceDelta,
    Cost,
    CreateCompletionResponse,
    Model,
    StreamCompletionResponse,
)
from understudy.v1.record_pb2 import Feedback, Pair, Record

Dict = dict[str, Any]
Answer = CreateCompletionResponse | StreamCompletionResponse


def to_dict(reply: Answer | Choice | ChatMessage | Model | Record | Pair | Feedback) -> Dict:
    """Return an answer, a piece or a part of one, a message or a model as OpenAI writes it.

    A record, a pair or feedback becomes a dict of all its fields: `None` for what is unset, text
    in ISO 8601 for instants, seconds for durations.

    `understudy` holds the routing, cost, warnings and further provider fields. A message without
    content has `None` there, as OpenAI's have; a piece of one leaves it out.
    """
    match reply:
        case CreateCompletionResponse():
            return {
                **_head(reply, "chat.completion"),
                "choices": [_choice(choice) for choice in reply.choices],
                **_tail(reply),
            }
        case StreamCompletionResponse():
            return {
                **_head(reply, "chat.completion.chunk"),
                "choices": [_choice_delta(choice) for choice in reply.choices],
                **_tail(reply),
            }
        case Choice():
            return _choice(reply)
        case ChatMessage():
            return _message(reply)
        case Model():
            return _model(reply)
        case Record():
            return write_record(reply, _inner)
        case Pair():
            return write_pair(reply, _inner)
        case Feedback():
            return write_feedback(reply)


def _inner(part: ChatMessage | Choice | Usage | Cost) -> Dict:
    match part:
        case ChatMessage():
            return _message(part)
        case Choice():
            return _choice(part)
        case Usage():
            return _usage(part)
        case Cost():
            return _cost(part)


def _head(answer: Answer, kind: str) -> Dict:
    return {"id": answer.id, "object": kind, "created": answer.created, "model": answer.model}


def _tail(answer: Answer) -> Dict:
    tail: Dict = {
        "usage": _usage(answer.usage) if answer.HasField("usage") else None,
        "system_fingerprint": answer.system_fingerprint or None,
        "service_tier": answer.service_tier or None,
    }
    ours: Dict = {}
    if answer.HasField("routing"):
        ours["routing"] = _scalars(answer.routing)
    if answer.HasField("cost"):
        ours["cost"] = _cost(answer.cost)
    if answer.warnings:
        ours["warnings"] = [_scalars(warning) for warning in answer.warnings]
    if answer.provider_fields_json:
        ours["provider_fields"] = json.loads(answer.provider_fields_json)
    return {**tail, "understudy": ours} if ours else tail


def _choice(choice: Choice) -> Dict:
    return {
        "index": choice.index,
        "message": _message(choice.message),
        "finish_reason": choice.finish_reason or None,
        "logprobs": _logprobs(choice.logprobs) if choice.HasField("logprobs") else None,
    }


def _choice_delta(choice: ChoiceDelta) -> Dict:
    return {
        "index": choice.index,
        "delta": _given(choice.delta),
        "finish_reason": choice.finish_reason or None,
        "logprobs": _logprobs(choice.logprobs) if choice.HasField("logprobs") else None,
    }


def _message(message: ChatMessage) -> Dict:
    return {"role": message.role, "content": None, **_given(message)}


def _given(message: ChatMessage) -> Dict:
    """Return the members that a message has, in OpenAI's order."""
    given: Dict = {}
    if message.role:
        given["role"] = message.role
    if message.HasField("content"):
        given["content"] = message.content
    elif message.content_parts:
        given["content"] = [_part(part) for part in message.content_parts]
    if message.HasField("refusal"):
        given["refusal"] = message.refusal
    if message.name:
        given["name"] = message.name
    if message.tool_calls:
        given["tool_calls"] = [_tool_call(call) for call in message.tool_calls]
    if message.tool_call_id:
        given["tool_call_id"] = message.tool_call_id
    if message.reasoning_content:
        given["reasoning_content"] = message.reasoning_content
    return {**given, **_members(message.extra_json)}


def _part(part: ContentPart) -> Dict:
    given: Dict = {}
    match part.WhichOneof("part"):
        case None:
            pass
        case "text":
            given["text"] = part.text
        case "refusal":
            given["refusal"] = part.refusal
        case "image_url":
            given["image_url"] = _written(part.image_url)
        case "input_audio":
            given["input_audio"] = _written(part.input_audio)
        case "file":
            given["file"] = _written(part.file)
    kind = part.type or part.WhichOneof("part")
    return {**({"type": kind} if kind else {}), **given, **_members(part.extra_json)}


def _tool_call(call: ToolCall) -> Dict:
    given: Dict = {"index": call.index} if call.HasField("index") else {}
    if call.id:
        given["id"] = call.id
    if call.type:
        given["type"] = call.type
    if call.HasField("function"):
        # In a stream the name comes once, the arguments piece by piece.
        name: Dict = {"name": call.function.name} if call.function.name else {}
        given["function"] = {**name, "arguments": call.function.arguments}
    return {**given, **_members(call.extra_json)}


def _logprobs(logprobs: Logprobs) -> Dict:
    return {
        "content": [_token(token) for token in logprobs.content],
        "refusal": [_token(token) for token in logprobs.refusal] or None,
    }


def _token(token: TokenLogprob) -> Dict:
    return {**_likelihood(token), "top_logprobs": [_likelihood(one) for one in token.top_logprobs]}


def _likelihood(token: TokenLogprob | TopLogprob) -> Dict:
    return {"token": token.token, "logprob": token.logprob, "bytes": list(token.bytes) or None}


def _usage(usage: Usage) -> Dict:
    given: Dict = {
        "prompt_tokens": usage.prompt_tokens,
        "completion_tokens": usage.completion_tokens,
        "total_tokens": usage.total_tokens,
    }
    if usage.HasField("prompt_tokens_details"):
        given["prompt_tokens_details"] = _scalars(usage.prompt_tokens_details)
    if usage.HasField("completion_tokens_details"):
        given["completion_tokens_details"] = _scalars(usage.completion_tokens_details)
    return given


def _cost(cost: Cost) -> Dict:
    return {
        "nano_usd": cost.nano_usd if cost.HasField("nano_usd") else None,
        "status": Cost.Status.Name(cost.status),
    }


def _model(model: Model) -> Dict:
    return {
        "id": model.id,
        "object": "model",
        "owned_by": "understudy",
        "understudy": {
            "alias_of": model.alias_of or None,
            "state": Model.State.Name(model.state),
            "reason": model.reason or None,
            "providers": list(model.providers),
        },
    }


def _scalars(message: Message) -> Dict:
    """Return every field of a message that has scalars only, zeros included."""
    return {field.name: getattr(message, field.name) for field in message.DESCRIPTOR.fields}


def _written(message: Message) -> Dict:
    """Return the fields of a message that are set."""
    return {field.name: value for field, value in message.ListFields()}


def _members(text: str) -> Dict:
    return cast("Dict", json.loads(text)) if text else {}
