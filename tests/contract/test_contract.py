"""Every provider is asked everything, whole and streamed, by its real path, and answers alike."""

from collections.abc import AsyncGenerator

import pytest
import pytest_asyncio
from msgspec import structs

from understudy.server.domain.completion import Completion, Delta
from understudy.server.errors import Reason, RequestError, UpstreamError
from understudy.server.providers.features import Feature
from understudy.server.providers.leaving import DROPPED
from understudy.server.upstream import HttpUpstream
from understudy.server.upstream.egress import TlsContexts

from .asking import PROVIDERS, ask, deploy, features_of, play, serve
from .faithful import Failing, Told
from .openai_failures import fault_of
from .questions import QUESTIONS, Question

REASONS = {
    "credentials": Reason.UPSTREAM_CREDENTIALS_REJECTED,
    "forbidden": Reason.UPSTREAM_FORBIDDEN,
    "model": Reason.UPSTREAM_MODEL_NOT_FOUND,
    "rate": Reason.UPSTREAM_RATE_LIMITED,
    "quota": Reason.UPSTREAM_QUOTA_EXHAUSTED,
    "context": Reason.CONTEXT_LENGTH_EXCEEDED,
    "policy": Reason.CONTENT_POLICY_REJECTED,
    "invalid": Reason.UPSTREAM_REJECTED_REQUEST,
    "overloaded": Reason.UPSTREAM_OVERLOADED,
    "internal": Reason.UPSTREAM_INTERNAL_ERROR,
}
# What a provider never says: it knows no policy or no end but one, or does not tell one failure
# from another.
UNSAID = {
    ("ollama", "a filter"),
    ("ollama", "policy"),
    ("ollama_chat", "a filter"),
    ("ollama_chat", "policy"),
    ("petals", "a filter"),
    ("petals", "overloaded"),
    ("petals", "policy"),
    ("petals", "the limit"),
}


@pytest.fixture(scope="module")
def tls() -> TlsContexts:
    return TlsContexts()


@pytest_asyncio.fixture
async def upstream(tls: TlsContexts) -> AsyncGenerator[HttpUpstream]:
    async with HttpUpstream(tls=tls) as running:
        yield running


def assembled(deltas: list[Delta]) -> dict[int, str]:
    """Return the text of each choice, as a caller puts it together."""
    texts: dict[int, str] = {}
    for delta in deltas:
        for choice in delta.choices:
            content = choice.message.content
            texts[choice.index] = texts.get(choice.index, "") + (
                content if isinstance(content, str) else ""
            )
    return texts


def comparable(answer: Completion) -> Completion:
    """Return the answer without what each reply has anew."""
    return structs.replace(answer, id="", created=0)


@pytest.mark.parametrize("question", QUESTIONS, ids=lambda one: one.name)
@pytest.mark.parametrize("provider", PROVIDERS)
@pytest.mark.asyncio
async def test_a_provider_answers_whole_and_streamed_alike(
    upstream: HttpUpstream, provider: str, question: Question
) -> None:
    if question.wish - features_of(provider):
        pytest.skip("it cannot be asked so; see the test of what is missing")
    async with serve(provider) as server:
        play(server, question.told)
        deployment = deploy(provider, server)

        _, whole = await ask(upstream, deployment, question.call)
        streaming = structs.replace(question.call, stream=True)
        deltas, streamed = await ask(upstream, deployment, streaming)

    assert comparable(streamed) == comparable(whole)
    assert whole.warnings == ()
    assert assembled(deltas) == {one.index: one.message.content or "" for one in whole.choices}
    if question.brought <= features_of(provider) and (provider, question.name) not in UNSAID:
        question.check(whole)
        for word in question.witnesses:
            assert all(word.encode() in one.body for one in server.asked)


@pytest.mark.parametrize("provider", PROVIDERS)
@pytest.mark.asyncio
async def test_a_stream_comes_piece_by_piece(upstream: HttpUpstream, provider: str) -> None:
    if Feature.STREAM not in features_of(provider):
        pytest.skip("it does not stream")
    async with serve(provider) as server:
        play(server, Told("one two three four"))
        call = structs.replace(QUESTIONS[0].call, stream=True)

        deltas, _ = await ask(upstream, deploy(provider, server), call)

    assert len([one for one in deltas if one.choices[0].message.content]) >= 4
    assert deltas[0].choices[0].message.role == "assistant"


MISSING = [
    pytest.param(provider, question, id=f"{provider}-{question.name}")
    for provider in PROVIDERS
    for question in QUESTIONS
    if question.wish - features_of(provider)
]


@pytest.mark.parametrize(("provider", "question"), MISSING)
@pytest.mark.asyncio
async def test_what_a_provider_cannot_take_is_refused_or_dropped_on_record(
    upstream: HttpUpstream, provider: str, question: Question
) -> None:
    async with serve(provider) as server:
        play(server, Told())

        with pytest.raises(RequestError) as caught:
            await ask(upstream, deploy(provider, server), question.call)
        unasked = list(server.asked)
        permissive = deploy(provider, server, drop_params=True)
        _, answer = await ask(upstream, permissive, question.call)

    assert caught.value.reason is Reason.UNSUPPORTED_PARAMETER
    assert caught.value.field
    assert unasked == []
    assert {one.reason for one in answer.warnings} == {DROPPED}
    assert answer.choices[0].message.content == Told().text


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
@pytest.mark.parametrize("kind", REASONS)
@pytest.mark.parametrize("provider", PROVIDERS)
@pytest.mark.asyncio
async def test_the_same_failure_has_the_same_reason(
    upstream: HttpUpstream, provider: str, kind: str, stream: bool
) -> None:
    if (provider, kind) in UNSAID or fault_of(provider, kind) is None:
        pytest.skip("it never says so")
    async with serve(provider) as server:
        play(server, Failing(kind))
        call = structs.replace(QUESTIONS[0].call, stream=stream)

        with pytest.raises(UpstreamError) as caught:
            await ask(upstream, deploy(provider, server), call)

    assert caught.value.reason is REASONS[kind]
    assert caught.value.delivered == 0
    assert server.key not in str(caught.value)


@pytest.mark.parametrize("provider", PROVIDERS)
@pytest.mark.asyncio
async def test_a_wrong_key_is_told_from_everything_else(
    upstream: HttpUpstream, provider: str
) -> None:
    async with serve(provider) as server:
        deployment = deploy(provider, server)
        server.key = "sk-changed"
        if provider == "petals":
            pytest.skip("it knows no key")

        with pytest.raises(UpstreamError) as caught:
            await ask(upstream, deployment, QUESTIONS[0].call)

    assert caught.value.reason is Reason.UPSTREAM_CREDENTIALS_REJECTED


@pytest.mark.parametrize("after", [0, 1])
@pytest.mark.parametrize("provider", PROVIDERS)
@pytest.mark.asyncio
async def test_a_stream_that_breaks_off_is_no_answer(
    upstream: HttpUpstream, provider: str, after: int
) -> None:
    if Feature.STREAM not in features_of(provider):
        pytest.skip("it does not stream")
    async with serve(provider) as server:
        play(server, Failing("internal", after=after))
        call = structs.replace(QUESTIONS[0].call, stream=True)

        with pytest.raises(UpstreamError) as caught:
            await ask(upstream, deploy(provider, server), call)

    reason = Reason.UPSTREAM_STREAM_ERROR if after else Reason.UPSTREAM_INTERNAL_ERROR
    assert (caught.value.reason, caught.value.delivered) == (reason, after)
