"""Simulated models: what they say, how they fail, and that they always say what they are."""

import json
from statistics import mean

import msgspec
import pytest
from msgspec import Raw

from understudy.server.domain.chat import (
    ChatCall,
    FunctionDefinition,
    FunctionName,
    JsonSchema,
    JsonValue,
    Message,
    NamedTool,
    ResponseFormat,
    Tool,
)
from understudy.server.domain.completion import Completion, Delta
from understudy.server.domain.deployment import Deployment
from understudy.server.errors import Reason, RefusedError, UpstreamError
from understudy.server.providers import dialect
from understudy.server.providers.simulated import Settings, Spread, read_settings
from understudy.server.simulated.replies import Script, perform
from understudy.server.simulated.words import find_topic

from .samples import called, deployment

WEATHER = Tool(
    "function",
    FunctionDefinition(
        "weather",
        parameters=Raw(
            b'{"type":"object","properties":{"city":{"type":"string"},"days":{"type":"integer",'
            b'"minimum":3,"maximum":4},"unit":{"enum":["C","F"]},"again":{"$ref":"#"}}}'
        ),
    ),
)


def simulated(name: str = "gpt-4", **settings: object) -> Deployment:
    return deployment("simulated", name, {"simulated": settings})


def prompt(text: str = "How does traffic mirroring work?", **more: object) -> ChatCall:
    call = ChatCall((Message("user", text),), {})
    return msgspec.structs.replace(call, **more)


def script(call: ChatCall, target: Deployment, repeat: int = 0) -> Script:
    request = dialect("simulated").encode(call, target)
    return perform(request.body, repeat=repeat, created=1_700_000_000)


def answer(
    call: ChatCall, target: Deployment | None = None, repeat: int = 0
) -> tuple[list[Delta], Completion]:
    played = script(call, target or simulated(), repeat)
    reader = dialect("simulated").reader(call.stream, played.status, played.headers)
    deltas = [delta for _, data in played.steps for delta in reader.feed(data)]
    return deltas, reader.finish()


def content(call: ChatCall, target: Deployment | None = None) -> str:
    _, found = answer(call, target)
    told = found.choices[0].message.content
    assert isinstance(told, str)
    return told


def test_an_answer_says_what_it_is() -> None:
    _, found = answer(prompt())

    assert found.model == "simulated/gpt-4"
    assert found.id.startswith("simulated-")
    assert str(found.choices[0].message.content).startswith("[simulated] ")
    assert found.usage is not None
    assert 0 < found.usage.completion_tokens < 100


def test_answers_vary_with_the_prompt_the_model_and_the_seed() -> None:
    texts = {
        content(prompt(), simulated("gpt-4")),
        content(prompt(), simulated("llama-2")),
        content(prompt(), simulated("gpt-4", seed=1)),
        content(prompt("What are autumn leaves?"), simulated("gpt-4")),
    }

    assert len(texts) == 4


def test_an_answer_is_about_its_prompt() -> None:
    assert "traffic mirroring" in content(prompt()).lower()


@pytest.mark.parametrize(
    ("text", "topic"),
    [
        ("How does traffic mirroring work?", "traffic mirroring"),
        ("What is the capital of France?", "capital"),
        ("hi", "that"),
        ("", "that"),
        ("{0} {topic} %s", "topic"),
        ("日本語", "that"),
    ],
)
def test_a_topic_is_found_in_any_prompt(text: str, topic: str) -> None:
    assert find_topic(text) == topic
    assert content(prompt(text)).startswith("[simulated] ")


def test_the_same_question_gets_the_same_words() -> None:
    assert content(prompt()) == content(prompt())


def test_a_stream_says_what_the_whole_answer_says() -> None:
    deltas, streamed = answer(prompt(stream=True))
    _, whole = answer(prompt())

    assert streamed.choices == whole.choices
    assert streamed.usage == whole.usage
    assert len(deltas) > 5
    assert "".join(str(one.choices[0].message.content or "") for one in deltas) == content(prompt())


def test_tokens_take_their_time() -> None:
    target = simulated(latency=0.5, tokens_per_second=10, tokens=20)

    stream = script(prompt(stream=True), target).steps
    whole = script(prompt(), target).steps

    assert stream[0][0] == 0.5
    assert stream[-1][0] == pytest.approx(2.5)
    assert [at for at, _ in stream] == sorted(at for at, _ in stream)
    assert [at for at, _ in whole] == [pytest.approx(2.5)]


@pytest.mark.parametrize("tokens", [1, 5, 50, 500])
def test_an_answer_has_as_many_tokens_as_asked_for(tokens: int) -> None:
    _, found = answer(prompt(), simulated(tokens=tokens))

    assert found.usage is not None
    assert found.usage.completion_tokens == tokens
    assert found.choices[0].finish_reason == "stop"


@pytest.mark.parametrize("name", ["max_tokens", "max_completion_tokens"])
def test_the_caller_s_limit_cuts_the_answer(name: str) -> None:
    _, found = answer(prompt(params={name: 4}))

    assert len(str(found.choices[0].message.content).split()) == 4
    assert found.choices[0].finish_reason == "length"


def test_a_reply_may_be_given() -> None:
    assert content(prompt(), simulated(reply="Yes.")) == "[simulated] Yes."


def test_several_answers_differ() -> None:
    _, found = answer(prompt(params={"n": 3}, stream=True))

    assert [one.index for one in found.choices] == [0, 1, 2]
    assert len({one.message.content for one in found.choices}) == 3


def test_latency_is_log_normal_about_its_mean() -> None:
    target = simulated(latency={"mean": 0.4, "sigma": 0.5})

    times = [script(prompt(stream=True), target, repeat).steps[0][0] for repeat in range(2000)]

    assert mean(times) == pytest.approx(0.4, rel=0.1)
    assert len(set(times)) == 2000


@pytest.mark.parametrize(
    ("status", "reason"),
    [
        (429, Reason.UPSTREAM_RATE_LIMITED),
        (500, Reason.UPSTREAM_INTERNAL_ERROR),
        (503, Reason.UPSTREAM_UNAVAILABLE),
        (418, Reason.UPSTREAM_BAD_STATUS),
    ],
)
def test_failures_are_those_of_a_provider(status: int, reason: Reason) -> None:
    with pytest.raises(UpstreamError) as caught:
        answer(prompt(), simulated(failure_rate=1, failure_status=status))

    assert caught.value.reason is reason
    assert "[simulated]" in caught.value.message
    assert caught.value.retry_after == (1 if status in (429, 503) else None)


def test_failures_come_at_their_rate_and_a_retry_may_succeed() -> None:
    target = simulated(failure_rate=0.3, failure_status=[429, 500])

    statuses = [script(prompt(), target, repeat).status for repeat in range(2000)]

    assert statuses.count(200) == pytest.approx(1400, abs=100)
    assert statuses.count(429) == pytest.approx(300, abs=75)
    again = [script(prompt(), target, repeat).status for repeat in range(2000)]
    assert statuses == again


@pytest.mark.parametrize("choice", ["required", NamedTool(FunctionName("weather"))])
@pytest.mark.parametrize("stream", [False, True])
def test_a_tool_that_must_be_called_is_called(choice: str | NamedTool, stream: bool) -> None:
    _, found = answer(prompt(tools=(WEATHER,), tool_choice=choice, stream=stream))

    choices = found.choices[0]
    [(name, arguments)] = called(choices.message)
    values = json.loads(arguments)
    assert name == "weather"
    assert values["days"] in (3, 4)
    assert values["unit"] in ("C", "F")
    assert values["city"].startswith("[simulated]")
    assert choices.message.content is None
    assert choices.finish_reason == "tool_calls"


def test_a_tool_that_may_be_called_is_not() -> None:
    assert content(prompt(tools=(WEATHER,), tool_choice="auto")).startswith("[simulated]")


def test_an_answer_takes_the_shape_asked_for() -> None:
    schema = Raw(b'{"type":"object","properties":{"a":{"type":"array","items":{"type":"number"}}}}')
    shaped = prompt(response_format=ResponseFormat("json_schema", JsonSchema("s", schema=schema)))
    loose = prompt(response_format=ResponseFormat("json_object"))

    assert isinstance(json.loads(content(shaped))["a"][0], float)
    assert json.loads(content(loose))["simulated"] is True


def test_settings_have_defaults() -> None:
    assert read_settings({}) == Settings()
    assert read_settings({"latency": {"mean": 1}}).latency == Spread(1)


@pytest.mark.parametrize(
    ("settings", "path"),
    [
        ({"latency": -1}, "latency: "),
        ({"latency": {"mean": 1, "sigmma": 2}}, "latency: "),
        ({"failure_rate": 2}, "failure_rate: "),
        ({"failure_status": 200}, "failure_status: "),
        ({"tokens_per_second": 0}, "tokens_per_second: "),
        ({"speed": 3}, "Object contains unknown field `speed`"),
        ("fast", "Expected `object`"),
    ],
)
def test_settings_that_cannot_be_are_refused_by_their_path(settings: JsonValue, path: str) -> None:
    with pytest.raises(ValueError, match=f"^{path}"):
        read_settings(settings)


def test_a_deployment_with_such_settings_is_refused() -> None:
    with pytest.raises(RefusedError, match="failure_rate: "):
        dialect("simulated").encode(prompt(), simulated(failure_rate=2))


def test_a_request_that_makes_no_sense_is_refused_as_a_provider_would() -> None:
    with pytest.raises(UpstreamError) as caught:
        answer(prompt(params={"n": "many"}))

    assert caught.value.reason is Reason.UPSTREAM_REJECTED_REQUEST


def test_a_deployment_without_an_endpoint_is_refused() -> None:
    unusable = Deployment(
        id="d", group="g", provider="simulated", model="m", endpoint=None, unusable="because"
    )

    with pytest.raises(RefusedError, match="because"):
        dialect("simulated").encode(prompt(), unusable)
