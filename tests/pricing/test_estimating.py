"""How many tokens there were, where nobody says: by the bytes of the text, and marked elsewhere."""

from hypothesis import given
from hypothesis import strategies as st
from msgspec import Raw

from understudy.server.domain.chat import (
    ChatCall,
    ContentPart,
    FunctionCall,
    FunctionDefinition,
    ImageUrl,
    Message,
    Tool,
    ToolCall,
)
from understudy.server.domain.completion import Choice, Completion, Usage
from understudy.server.pricing.estimating import (
    TOKENS_PER_ATTACHMENT,
    TOKENS_PER_MESSAGE,
    count_attachments,
    estimate_usage,
    measure_answer,
)


def call(*messages: Message, tools: tuple[Tool, ...] = ()) -> ChatCall:
    return ChatCall(messages, {}, tools)


def test_four_bytes_make_a_token() -> None:
    prompt = call(Message("user", "x" * 400))

    assert estimate_usage(prompt, 81) == Usage(
        100 + TOKENS_PER_MESSAGE, 21, 121 + TOKENS_PER_MESSAGE
    )


def test_other_letters_have_more_bytes_and_more_tokens() -> None:
    plain, accented = call(Message("user", "a" * 40)), call(Message("user", "ß" * 40))

    assert estimate_usage(accented, 0).prompt_tokens > estimate_usage(plain, 0).prompt_tokens


def test_a_picture_counts_by_itself_whatever_its_size() -> None:
    picture = ContentPart("image_url", image_url=ImageUrl("data:image/png;base64," + "A" * 10**6))
    prompt = call(Message("user", (ContentPart("text", "what is this"), picture)))

    assert count_attachments(prompt) == 1
    assert estimate_usage(prompt, 0).prompt_tokens == TOKENS_PER_ATTACHMENT + 3 + TOKENS_PER_MESSAGE


def test_tools_and_their_calls_count() -> None:
    tool = Tool("function", FunctionDefinition("f", "says", Raw(b'{"type":"object"}')))
    called = ToolCall("1", "function", FunctionCall("f", '{"a":1}'))
    prompt = call(Message("assistant", None, tool_calls=(called,)), tools=(tool,))

    assert estimate_usage(prompt, 0).prompt_tokens == -(-(8 + 22) // 4) + TOKENS_PER_MESSAGE


def test_an_answer_is_measured_with_its_thoughts() -> None:
    answer = Completion((Choice(0, Message("assistant", "ßß", reasoning_content="abc")),))

    assert measure_answer(answer) == 7


@given(st.text(st.characters()), st.integers(-5, 2**40))
def test_no_text_is_refused(text: str, size: int) -> None:
    found = estimate_usage(call(Message("user", text + "\ud800")), size)

    assert found.prompt_tokens > 0
    assert found.completion_tokens >= 0
