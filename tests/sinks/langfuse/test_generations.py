"""What a project of Langfuse's shows of calls."""

from hashlib import sha256

import pytest
from msgspec import structs

from understudy.server.domain.chat import ChatCall, FunctionDefinition, Message, Tool
from understudy.server.domain.completion import Usage
from understudy.server.domain.records import Role
from understudy.server.domain.tellings import Asked, Telling
from understudy.server.sinks.langfuse.generations import count_usage
from understudy.server.sinks.langfuse.steering import read_tags

from ...stub.eventually import eventually_sync
from ..otel.making import PAIR, USAGE, answered, asked, generation, mirrored, pair_id, trace
from .project import Observation, opened, project


def show(*tellings: Telling) -> list[Observation]:
    """What is shown of what is told."""
    with project() as langfuse:
        with opened(langfuse.url) as sink:
            sink.tell(tellings)
        assert not langfuse.refusals
        assert not langfuse.receiver.faults
        return langfuse.observations


def only(of: Asked | None = None, **fields: object) -> Observation:
    """What is shown of one call."""
    (shown,) = show(generation(of=of, **fields))  # type: ignore[arg-type]
    return shown


def test_a_call_is_a_generation_with_all_that_langfuse_counts() -> None:
    shown = only()

    assert shown.said["langfuse.observation.type"] == "generation"
    assert shown.said["langfuse.observation.model.name"] == "gpt-3.5-turbo-0125"
    assert shown.parsed("model.parameters") == {"temperature": 0.5, "max_tokens": 64}
    assert shown.parsed("cost_details") == {"total": 0.002345}
    assert shown.parsed("completion_start_time") == "2026-05-28T20:26:40.091000+00:00"
    assert shown.parsed("input") == {
        "messages": [{"role": "user", "content": "What is the capital of France?"}]
    }
    assert shown.parsed("output") == {"role": "assistant", "content": "Paris."}
    assert shown.metadata("pair_id") == PAIR
    assert shown.metadata("role") == "PRIMARY"
    assert shown.metadata("is_silent_experiment") is False
    assert shown.environment == "live"
    assert shown.trace_id == PAIR


def test_no_token_is_counted_twice() -> None:
    counted = only().parsed("usage_details")

    assert counted == {
        "input": 100,
        "input_cached_tokens": 20,
        "output": 30,
        "output_reasoning_tokens": 10,
        "total": 160,
    }
    assert count_usage(Usage(1, 2, 3)) == {"input": 1, "output": 2, "total": 3}
    odd = structs.replace(USAGE, prompt_tokens=5)
    assert count_usage(odd)["input"] == 0


def test_an_unknown_cost_is_left_to_langfuse() -> None:
    assert "langfuse.observation.cost_details" not in only(cost=None).said


def test_silent_calls_are_in_an_environment_and_a_trace_of_their_own() -> None:
    labels = {"session_id": "s1", "trace_user_id": "u1", "trace_id": "mine"}
    primary, silent = show(*mirrored(1, {"labels": labels}))

    assert (primary.environment, silent.environment) == ("live", "live-mirror")
    assert silent.metadata("is_silent_experiment") is True
    assert silent.metadata("role") == "SILENT"
    assert silent.metadata("pair_id") == primary.metadata("pair_id") == pair_id(1)
    assert silent.trace_id != primary.trace_id
    assert silent.metadata("primary_trace_id") == primary.trace_id
    assert (primary.said["session.id"], primary.said["user.id"]) == ("s1", "u1")
    assert not {"session.id", "user.id"} & silent.said.keys()
    assert silent.metadata("session_id") == "s1"


def test_labels_steer_the_trace_as_litellm_s_do() -> None:
    shown = only(
        of=asked(
            labels={
                "trace_id": "order 17",
                "session_id": "basket",
                "trace_user_id": "anna",
                "trace_name": "checkout",
                "generation_name": "summary",
                "tags": '["blue", "beta"]',
                "team": "shop",
            },
            user="somebody",
        )
    )

    assert shown.trace_id == sha256(b"order 17").hexdigest()[:32]
    assert shown.said["session.id"] == "basket"
    assert shown.said["user.id"] == "anna"
    assert shown.said["langfuse.trace.name"] == "checkout"
    assert shown.name == "summary"
    assert shown.said["langfuse.trace.tags"] == ["blue", "beta"]
    assert shown.metadata("label.team") == "shop"
    assert shown.metadata("label.session_id") is None


def test_a_trace_id_of_the_right_form_is_used_as_it_is() -> None:
    wanted = "0123456789abcdef" * 2

    assert only(of=asked(labels={"trace_id": wanted})).trace_id == wanted


def test_a_caller_s_trace_is_continued_but_for_another_that_it_names() -> None:
    inside = only(of=asked(trace=trace(5)))
    outside = only(of=asked(trace=trace(5), labels={"trace_id": "another"}))
    below = only(of=asked(labels={"parent_observation_id": "00000000000000aa"}))

    assert (inside.trace_id, inside.parent) == (f"{5:032x}", f"{5:016x}")
    assert "langfuse.trace.name" not in inside.said
    assert outside.parent == ""
    assert below.parent == "00000000000000aa"


@pytest.mark.parametrize(
    ("text", "tags"),
    [
        ("", ()),
        ("a, b ,,c", ("a", "b", "c")),
        ('["a","b, c"]', ("a", "b, c")),
        ("['a']", ("['a']",)),
        ("[1]", ("[1]",)),
    ],
)
def test_tags_are_a_list_or_texts_between_commas(text: str, tags: tuple[str, ...]) -> None:
    assert read_tags(text) == tags


def test_failures_are_errors_with_their_cause() -> None:
    failed = only(answer=None, reason="UPSTREAM_ERROR", message="UPSTREAM_ERROR (HTTP 500)")
    given_up = only(answer=None, reason="CANCELLED")

    assert failed.said["langfuse.observation.level"] == "ERROR"
    assert failed.said["langfuse.observation.status_message"] == "UPSTREAM_ERROR (HTTP 500)"
    assert given_up.said["langfuse.observation.level"] == "WARNING"


def test_a_request_that_no_model_was_asked_for_is_shown_all_the_same() -> None:
    refused, served = answered(reason="MODEL_NOT_FOUND", attempts=0), answered(pair_id(2))
    (shown,) = show(refused, served)

    assert shown.said["langfuse.observation.type"] == "span"
    assert shown.said["langfuse.observation.level"] == "ERROR"
    assert shown.metadata("is_silent_experiment") is False


def test_words_that_may_not_be_known_are_nowhere() -> None:
    chat = ChatCall(
        (Message("user", "canary"),),
        {"stop": ["canary"], "seed": 7},
        tools=(Tool("function", FunctionDefinition("canary")),),
    )
    shown = only(prompt=None, answer=None, of=asked(chat=chat))

    assert "canary" not in repr(shown)
    assert shown.parsed("model.parameters") == {"seed": 7}


def test_callers_may_mask_their_words() -> None:
    masked = only(of=asked(labels={"mask_input": "True", "mask_output": "true"}))

    assert "langfuse.observation.input" not in masked.said
    assert "langfuse.observation.output" not in masked.said


def test_tools_are_shown_with_the_prompt_that_has_them() -> None:
    chat = ChatCall((), {}, tools=(Tool("function", FunctionDefinition("weather")),))
    shown = only(of=asked(chat=chat))

    assert shown.parsed("input")["tools"] == [{"type": "function", "function": {"name": "weather"}}]


def test_hostile_texts_arrive_beside_harmless_ones() -> None:
    hostile = "\ud800\0" + "x" * 1_000_000
    labels = {"trace_id": hostile, "tags": "[\ud800", "\ud800": "\0", "session_id": hostile}
    shown = show(
        generation(pair_id(1), prompt=hostile, answer=hostile, of=asked(pair_id(1), labels=labels)),
        generation(pair_id(2), Role.SILENT, prompt="y" * 2_000_000),
        generation(pair_id(3)),
    )

    assert len(shown) == 3
    assert shown[1].parsed("input") == "[left out: too long]"


@pytest.mark.parametrize("pairs", [300, pytest.param(5_000, marks=pytest.mark.proof)])
def test_every_generation_of_mirrored_calls_arrives(pairs: int) -> None:
    with project() as langfuse, opened(langfuse.url) as sink:
        for number in range(pairs):
            sink.tell(tuple(mirrored(number)))
        eventually_sync(lambda: not sink.figures.waiting, within=60)

        by_environment = [shown.environment for shown in langfuse.observations]
        assert by_environment.count("live") == by_environment.count("live-mirror") == pairs
        assert len({shown.id for shown in langfuse.observations}) == 2 * pairs
        assert sink.figures.sent == 2 * pairs
