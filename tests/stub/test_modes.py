"""The catalogue of modes says what there is."""

import asyncio
import json
import urllib.request

import pytest

from . import answers, mishaps, modes
from .faultstub import FaultStub
from .plans import Call
from .runners import stub_process, stub_thread
from .writing import write_reply


@pytest.mark.parametrize("word", sorted(answers.WORDS | mishaps.WORDS))
def test_every_word_is_in_the_catalogue(word: str) -> None:
    assert modes.__doc__ is not None
    assert word in modes.__doc__


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("word", sorted(answers.WORDS | mishaps.WORDS))
def test_every_word_makes_a_reply_with_its_default(word: str, stream: bool) -> None:
    plan = modes.make_plan(Call(model=word, stream=stream))

    assert all(write_reply(plan, 0.0))


def test_words_are_applied_in_turn() -> None:
    plan = modes.make_plan(Call(model="status-429+retry-after-7+slow-50ms"))

    assert (plan.status, plan.headers, plan.delay) == (429, [("retry-after", "7")], 0.05)


@pytest.mark.parametrize("model", ["gpt-4", "gpt-3.5-turbo", "llama-2", "tgi", ""])
def test_a_plain_model_answers(model: str) -> None:
    plan = modes.make_plan(Call(model=model))

    assert (plan.status, plan.content) == (200, f"Hello from {model}.")


def test_it_runs_in_a_thread_and_in_a_process() -> None:
    with stub_thread(FaultStub()) as stub, stub_process("--mode=words-3") as url:
        told = [_ask(stub.url, "gpt-4"), _ask(url, "gpt-4")]

    assert told == ["Hello from gpt-4.", "word0 word1 word2"]
    assert [seen.model for seen in stub.requests] == ["gpt-4"]


@pytest.mark.asyncio
async def test_it_knows_an_azure_path_and_who_closed() -> None:
    async with FaultStub() as stub:
        url = f"{stub.url}/openai/deployments/status-503/chat/completions?api-version=1"
        with pytest.raises(OSError, match="503"):
            await asyncio.to_thread(urllib.request.urlopen, url, b'{"messages": []}')

        assert stub.requests[0].connection.requests == 1
        assert stub.requests[0].method == "POST"


def _ask(origin: str, model: str) -> str:
    body = json.dumps({"model": model, "messages": []}).encode()
    with urllib.request.urlopen(f"{origin}/v1/chat/completions", body, timeout=5) as reply:
        content: str = json.load(reply)["choices"][0]["message"]["content"]
        return content
