"""Each sink hears what it may, once; none suffers from another, and nobody from any."""

import logging
import time
from collections.abc import Generator
from contextlib import contextmanager

import pytest
from msgspec import structs

from understudy.server.capturing import Capture, Pattern, Redactor
from understudy.server.domain.chat import ChatCall, Message
from understudy.server.domain.completion import Choice
from understudy.server.domain.feedback import Feedback
from understudy.server.domain.mirroring import Outcome
from understudy.server.domain.tellings import Answered, Asked, CopyEnded, Generation, Telling
from understudy.server.records.batch import Batch
from understudy.server.records.fold import Fold
from understudy.server.records.teller import Teller
from understudy.server.sinks.hearing import Ear, Hears
from understudy.server.sinks.telling import Sinks

from ..records.telling import answered, request, silent_end
from ..stub.eventually import eventually_sync
from .hearing import Failing, Heard, Stuck

CANARY = "canary-7f3a"
REDACTOR = Redactor([Pattern("canary-[0-9a-f]+")])


def tellings(text: str = "hi", said: str = "hello") -> tuple[Telling, ...]:
    """What there is to tell of a call with one copy."""
    teller = Teller(Redactor())
    fold = Fold("metadata", 0.0, teller=teller)
    events = [
        *answered("p", start=1.0, of=request(text), offered=("gpt-4",), text=said),
        silent_end("p", start=1.0, text=said),
    ]
    for event in events:
        fold.take(event, Batch())
    return teller.drain()


@contextmanager
def telling(*ears: Ear, patience: float = 1.0) -> Generator[Sinks]:
    sinks = Sinks(ears, REDACTOR, patience=patience)
    try:
        yield sinks
    finally:
        sinks.close(1.0)


def shown(heard: Heard) -> tuple[list[str], list[str]]:
    """The prompts and answers that a sink was shown."""
    prompts = [str(m.content) for one in heard.generations for m in one.messages or ()]
    answers = [str(c.message.content) for one in heard.generations for c in one.choices or ()]
    return prompts, answers


@pytest.mark.parametrize(
    ("capture", "prompts"),
    [
        ("content", [f"a {CANARY}"] * 2),
        ("redacted", ["a [redacted]"] * 2),
        ("metadata", []),
    ],
)
def test_a_sink_is_shown_what_its_capture_allows(capture: Capture, prompts: list[str]) -> None:
    heard = Heard()
    with telling(Ear("one", heard, capture=capture)) as sinks:
        sinks.tell(tellings(f"a {CANARY}", f"a {CANARY}"))

    assert shown(heard) == (prompts, prompts)
    assert (CANARY in repr(heard.tellings)) == (capture == "content")
    assert len(heard.tellings) == 4
    assert heard.closed == 1


def test_levels_do_not_mix_and_parameters_are_kept() -> None:
    chat = ChatCall((), {"temperature": 0.5, "stop": [CANARY]})
    asked = Asked(pair_id="p", chat=chat)
    told = Answered(asked=asked, started=1, ended=2)
    ears = {level: Heard() for level in ("content", "redacted", "metadata")}
    with telling(*(Ear(level, ear, capture=level) for level, ear in ears.items())) as sinks:  # type: ignore[arg-type]
        sinks.tell([told, Feedback("f", "p", "m", f"about {CANARY}"), Feedback("g", "p", "m", 1.0)])

    params = {}
    for level, ear in ears.items():
        (one,) = ear.answered
        assert one.asked.chat is not None
        params[level] = one.asked.chat.params
    assert params == {
        "content": {"temperature": 0.5, "stop": [CANARY]},
        "redacted": {"temperature": 0.5, "stop": ["[redacted]"]},
        "metadata": {"temperature": 0.5},
    }
    said = {level: [one.value for one in ear.tellings[1:]] for level, ear in ears.items()}  # type: ignore[union-attr]
    assert said == {
        "content": [f"about {CANARY}", 1.0],
        "redacted": ["about [redacted]", 1.0],
        "metadata": [1.0],
    }


def test_a_sink_that_fails_is_told_of_once_and_harms_nobody(
    caplog: pytest.LogCaptureFixture,
) -> None:
    failing, heard = Failing(), Heard()
    caplog.set_level(logging.WARNING)
    with telling(Ear("bad", failing), Ear("good", heard)) as sinks:
        for _ in range(3):
            sinks.tell(tellings())
        figures = {one.name: one for one in sinks.figures}

    assert len(failing.tellings) == len(heard.tellings) == 12
    assert (figures["bad"].dropped, figures["good"].dropped) == (12, 0)
    assert figures["good"].sent == 12
    assert [one.getMessage() for one in caplog.records] == [
        "the sink 'bad' failed: ValueError",
        "the sink 'bad' could not be closed: OSError",
    ]


def test_a_sink_that_is_stuck_is_waited_for_once_and_hears_later(
    caplog: pytest.LogCaptureFixture,
) -> None:
    stuck, heard = Stuck(), Heard()
    with telling(Ear("stuck", stuck), Ear("good", heard), patience=0.05) as sinks:
        begin = time.perf_counter()
        for _ in range(20):
            sinks.tell(tellings())
        took = time.perf_counter() - begin

        assert len(heard.tellings) == 80
        assert stuck.tellings == []
        assert next(one for one in sinks.figures if one.name == "stuck").waiting == 80
        stuck.free.set()
        eventually_sync(lambda: len(stuck.tellings) == 80)
        sinks.tell(tellings())
        assert len(stuck.tellings) == 84

    assert took < 1.0
    assert sinks.slow == 1
    assert [one.getMessage() for one in caplog.records] == [
        "the sink 'stuck' is slow to listen; nobody waits for it"
    ]


def test_what_a_stuck_sink_has_yet_to_hear_is_bounded_and_the_rest_counted() -> None:
    stuck = Stuck()
    with telling(Ear("stuck", stuck, most_waiting=10), patience=0.01) as sinks:
        for _ in range(10):
            sinks.tell(tellings())

        (figures,) = sinks.figures
        assert (figures.waiting, figures.dropped) == (8, 32)
        stuck.free.set()

    assert len(stuck.tellings) == 8


@pytest.mark.parametrize(("hears", "expected"), [("successes", 5), ("failures", 4), ("all", 9)])
def test_who_hears_of_successes_or_failures_only_is_told_no_more(
    hears: Hears, expected: int
) -> None:
    good = tellings()
    generation = next(one for one in good if isinstance(one, Generation))
    failed = structs.replace(generation.record, reason="UPSTREAM_INTERNAL_ERROR")
    heard = Heard()
    with telling(Ear("one", heard, hears=hears)) as sinks:
        sinks.tell(
            [
                *good,
                structs.replace(generation, record=failed),
                Answered(asked=generation.asked, started=1, ended=2, reason="UPSTREAM_TIMEOUT"),
                CopyEnded(pair_id="p", silent_model="gpt-4", outcome=Outcome.SHED, reason="FULL"),
                CopyEnded(pair_id="p", silent_model="gpt-4", outcome=None, reason="SAMPLED_OUT"),
                Feedback("f", "p", "liked", True),
            ]
        )

    assert len(heard.tellings) == expected


def test_a_message_with_half_a_character_is_redacted_all_the_same() -> None:
    told = Generation(
        record=next(one.record for one in tellings() if isinstance(one, Generation)),
        asked=Asked(pair_id="p"),
        messages=(Message("user", content=f"\ud800 {CANARY}"),),
        choices=(Choice(0, Message("assistant", content=f"{CANARY}\udfff")),),
    )
    heard = Heard()
    with telling(Ear("one", heard, capture="redacted")) as sinks:
        sinks.tell([told])

    assert shown(heard) == (["? [redacted]"], ["[redacted]?"])


def test_the_services_own_sinks_have_heard_when_telling_returns() -> None:
    own = Heard()
    sinks = Sinks((), REDACTOR, own=[own])

    sinks.tell(told := tellings())

    assert own.tellings == list(told)
    assert sinks
    assert not sinks.with_words
    sinks.close(1.0)
    assert own.closed == 1


def test_a_sink_of_the_services_own_that_fails_harms_nobody(
    caplog: pytest.LogCaptureFixture,
) -> None:
    heard = Heard()
    sinks = Sinks([Ear("good", heard)], REDACTOR, own=[Failing()])
    sinks.tell(tellings(CANARY))
    sinks.close(1.0)

    assert len(heard.tellings) == 4
    assert heard.closed == 1
    assert "a sink of our own failed: ValueError" in caplog.text
    assert "canary" not in caplog.text
