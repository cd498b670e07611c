"""What must have come of an answer that was told, in no provider's terms."""

from collections.abc import Callable

from msgspec import UNSET

from understudy.server.domain.chat import FunctionCall
from understudy.server.domain.completion import Completion

from .faithful import Called


def says(text: str = "Hello there.", finish: str = "stop") -> Callable[[Completion], None]:
    """Return what checks for a text and its end."""

    def check(answer: Completion) -> None:
        (choice,) = answer.choices
        assert choice.message.role == "assistant"
        assert choice.message.content == text
        assert choice.message.tool_calls is UNSET
        assert choice.finish_reason == finish

    return check


def calls(*expected: Called) -> Callable[[Completion], None]:
    """Return what checks for calls of tools."""

    def check(answer: Completion) -> None:
        (choice,) = answer.choices
        calls = choice.message.tool_calls
        assert calls is not UNSET
        found = [(one.function, one.type) for one in calls]
        assert found == [(FunctionCall(one.name, one.arguments), "function") for one in expected]
        ids = [one.id for one in calls]
        assert all(isinstance(one, str) and one for one in ids)
        assert len(set(ids)) == len(ids)
        assert choice.finish_reason == "tool_calls"

    return check


def check_many(answer: Completion) -> None:
    assert [one.index for one in answer.choices] == [0, 1]
    assert {one.message.content for one in answer.choices} == {"Hello there."}


def check_logprobs(answer: Completion) -> None:
    (choice,) = answer.choices
    assert choice.logprobs is not None
    tokens = choice.logprobs.content
    assert "".join(one.token for one in tokens).replace(" ", "") == "Hellothere."
    assert all(one.logprob < 0 for one in tokens)
    assert all(one.top_logprobs[0].logprob < 0 for one in tokens)


def check_reasoning(answer: Completion) -> None:
    (choice,) = answer.choices
    assert choice.message.reasoning_content == "Let me think."
    assert choice.message.content == "Hello there."


def check_refusal(answer: Completion) -> None:
    (choice,) = answer.choices
    assert choice.message.refusal == "I will not."
    assert choice.message.content in (None, "")


def check_usage(answer: Completion) -> None:
    assert answer.usage is not None
    assert (answer.usage.prompt_tokens, answer.usage.completion_tokens) == (11, 7)
    assert answer.usage.total_tokens == 18


def check_cached(answer: Completion) -> None:
    assert answer.usage is not None
    assert answer.usage.prompt_tokens_details is not None
    assert answer.usage.prompt_tokens_details.cached_tokens == 5
    assert answer.usage.prompt_tokens == 11


def check_thought(answer: Completion) -> None:
    assert answer.usage is not None
    assert answer.usage.completion_tokens_details is not None
    assert answer.usage.completion_tokens_details.reasoning_tokens == 3
    assert answer.usage.total_tokens in (18, 21)
