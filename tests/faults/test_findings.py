"""What a fuzz has found stays mended."""

import pytest

from understudy.server.domain.completion import Completion

from .test_fuzz import read

HUGE = b"1" + b"9" * 400  # which is no float


@pytest.mark.parametrize(
    ("provider", "body"),
    [
        ("openai", b'{"choices":[{"message":{"content":"a"}}],"created":%b}'),
        (
            "openai",
            (
                b'{"choices":[{"message":{"content":"a"}}],'
                b'"usage":{"prompt_tokens":%b,"completion_tokens":1.5}}'
            ),
        ),
        ("ollama", b'{"model":"m","response":"a","done":true,"eval_count":%b}'),
        ("ollama_chat", b'{"message":{"content":"a"},"done":true,"prompt_eval_count":%b}'),
    ],
)
def test_a_figure_that_is_no_float_is_as_good_as_none(provider: str, body: bytes) -> None:
    answer = read(provider, False, 200, {}, [body % HUGE])

    assert isinstance(answer, Completion)
    assert (answer.created, answer.usage) == (0, None)
