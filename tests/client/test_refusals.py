"""What has no place in a request is refused before anything is sent, by its path."""

from collections.abc import Mapping

import pytest

from understudy.client.parameters import MessageInput
from understudy.client.requests import build_request
from understudy.v1.chat_pb2 import ChatMessage

USER = ChatMessage(role="user", content="hi")

FAULTS: dict[str, tuple[object, Mapping[str, object], type[Exception], str]] = {
    "messages as text": ("hi", {}, TypeError, "messages: a list is needed, not str"),
    "one message": ({"role": "user"}, {}, TypeError, "messages: a list is needed, not dict"),
    "a message as text": (["hi"], {}, TypeError, "messages[0]: a dict is needed, not str"),
    "a number as content": (
        [USER, {"role": "user", "content": 5}],
        {},
        TypeError,
        "messages[1].content: a list is needed, not int",
    ),
    "no parts": (
        [{"role": "user", "content": []}],
        {},
        ValueError,
        "messages[0].content: a list of parts must not be empty",
    ),
    "two parts in one": (
        [{"role": "user", "content": [{"text": "a", "refusal": "b"}]}],
        {},
        ValueError,
        "messages[0].content[0]: text and refusal are parts of their own",
    ),
    "an unknown key where there is no room": (
        [{"role": "assistant", "tool_calls": [{"function": {"name": "f", "x": 1}}]}],
        {},
        ValueError,
        "messages[0].tool_calls[0].function: the key 'x' is not known there",
    ),
    "a lone surrogate": (
        [{"role": "user", "content": "secret \ud800"}],
        {},
        ValueError,
        "messages[0].content: the text holds a lone surrogate, which cannot be sent",
    ),
    "a text for a number": (
        [],
        {"temperature": "hot"},
        TypeError,
        "temperature: str is not what belongs there",
    ),
    "too large": ([], {"n": 2**40}, ValueError, "n: the number is out of range"),
    "a label that is no text": (
        [],
        {"metadata": {"team": 7}},
        TypeError,
        "metadata['team']: int is not what belongs there",
    ),
    "a stop that is no text": ([], {"stop": [1]}, TypeError, "stop[0]: a text is needed, not int"),
    "NaN": (
        [],
        {"extra_body": {"x": float("nan")}},
        ValueError,
        "extra_body: Out of range float values are not JSON compliant",
    ),
    "what JSON has no form for": (
        [],
        {"tools": [{"type": "function", "function": {"name": "f", "parameters": {"x": {1}}}}]},
        TypeError,
        "tools[0].function.parameters: set has no form in JSON",
    ),
    "a schema as text": (
        [],
        {"tools": [{"function": {"name": "f", "parameters": "{}"}}]},
        TypeError,
        "tools[0].function.parameters: a dict is needed, not str",
    ),
    "a format with more": (
        [],
        {"response_format": {"type": "text", "grammar": "g"}},
        ValueError,
        "response_format: the key 'grammar' is not known there",
    ),
    "another choice": (
        [],
        {"tool_choice": {"type": "allowed_tools"}},
        ValueError,
        "tool_choice: only a function can be chosen",
    ),
    "an unknown word": (
        [],
        {"mirror_mode": "sometimes"},
        ValueError,
        "mirror_mode: 'sometimes' is not one of never",
    ),
    "an unknown parameter": (
        [],
        {"top_k": 5},
        TypeError,
        "completion() takes no 'top_k'; what a provider understands and Understudy has no name",
    ),
    "a key": (
        [],
        {"api_key": "sk-1"},
        TypeError,
        "completion() takes no 'api_key': that is for the server's configuration, not for callers",
    ),
}


@pytest.mark.parametrize(("messages", "parameters", "kind", "words"), FAULTS.values(), ids=FAULTS)
def test_what_has_no_place_is_refused_by_its_path(
    messages: list[MessageInput],
    parameters: Mapping[str, object],
    kind: type[Exception],
    words: str,
) -> None:
    with pytest.raises(kind) as caught:
        build_request(None, messages, parameters)

    assert type(caught.value) is kind
    assert str(caught.value).startswith(words)
