"""Makes a store of calls that never were: a week of them, the oldest first.

Ten experiments of two variants, five groups of two deployments, one call in fifty failed, every
other one with a silent copy; the last tenth with texts. Written by the recorder's own code.
"""

import random
from collections.abc import Iterator

import msgspec

from understudy.server.domain.chat import Message
from understudy.server.domain.completion import Choice, Usage
from understudy.server.domain.costs import CostStatus
from understudy.server.domain.figures import Step
from understudy.server.domain.mirroring import Comparison, Outcome
from understudy.server.domain.records import Record, Role, TextState
from understudy.server.records.batch import Batch, OfferRow, TextRow
from understudy.server.records.fold import PROMPT

SPAN = 7 * Step.DAY.value
EXPERIMENTS = tuple(f"experiment-{number}" for number in range(10))
RARE = "experiment-rare"
RARE_WORD = "xylophone"

_BATCH = 500  # calls
_WITH_TEXTS = 0.9  # of all calls come before the first with texts
_WORDS = [
    "the",
    "quick",
    "brown",
    "fox",
    "jumps",
    "over",
    "the",
    "lazy",
    "dog",
    "and",
    "asks",
    "for",
    "its",
    "money",
    "back",
]
_ENDS = (Outcome.PAIRED,) * 9 + (Outcome.SHED,)


def make_batches(calls: int, now: int, chance: random.Random, span: int = SPAN) -> Iterator[Batch]:
    """Yield what the recorder would write of so many calls, half as many with a copy, up to now."""
    batch = Batch()
    for number in range(calls):
        experiment = chance.choice((*EXPERIMENTS, "", "")) if number % 5000 else RARE
        record = _call(now - span + number * span // calls, experiment, chance)
        if number > calls * _WITH_TEXTS:
            record = msgspec.structs.replace(record, text_state=TextState.KEPT)
            _add_texts(batch, record, chance, with_prompt=True)
        batch.add_record(record)
        if number % 2 == 0:
            _add_copy(batch, record, chance)
        if number % _BATCH == _BATCH - 1:
            yield batch
            batch = Batch()
    yield batch


def _call(started: int, experiment: str, chance: random.Random) -> Record:
    pair_id = f"{started // 1000:012x}{chance.getrandbits(80):020x}"
    variant = chance.choice(("control", "candidate")) if experiment else ""
    # Each variant has a group of its own; what is asked without an experiment, any.
    group = (
        f"group-{(len(variant) + ord(experiment[-1])) % 5 if experiment else chance.randrange(5)}"
    )
    has_failed = chance.random() < 0.02
    latency = round(chance.lognormvariate(13.5, 0.8))
    return Record(
        id=f"{pair_id}-1",
        pair_id=pair_id,
        role=Role.PRIMARY,
        request_id=f"{chance.getrandbits(64):016x}",
        caller=f"caller-{chance.randrange(20)}",
        metadata={"team": f"team-{chance.randrange(8)}"},
        experiment=experiment,
        variant=variant,
        group=group,
        deployment=f"{group}-{chance.randrange(2)}",
        provider="openai",
        model="gpt-4o",
        served_model="gpt-4o-2024-08-06",
        attempt=1,
        reason=chance.choice(("UPSTREAM_TIMEOUT", "UPSTREAM_RATE_LIMITED")) if has_failed else "",
        upstream_status=429 if has_failed else 200,
        started=started,
        latency=latency,
        first_token=latency // 5,
        usage=None if has_failed else Usage(400, 100, 500),
        cost=None if has_failed else chance.randrange(10**6),
        cost_status=CostStatus.UNKNOWN if has_failed else CostStatus.EXACT,
        finish_reason="" if has_failed else "stop",
        request_bytes=2000,
        response_bytes=1000,
        streamed=True,
        effective_fraction=None,
        revision=7,
        text_state=TextState.NOT_CAPTURED,
        overridden=False,
        assignment="STICKY" if experiment else "",
        epoch=1 if experiment else 0,
        key_hash=f"{chance.getrandbits(64):016x}",
    )


def _add_copy(batch: Batch, primary: Record, chance: random.Random) -> None:
    name = f"silent-{chance.randrange(3)}"
    outcome = chance.choice(_ENDS)
    is_paired = outcome is Outcome.PAIRED and not primary.reason
    silent = msgspec.structs.replace(
        primary,
        id=f"{primary.pair_id}-{name}",
        role=Role.SILENT,
        group=name,
        deployment=f"{name}-0",
        latency=round(chance.lognormvariate(13.5, 0.8)),
        effective_fraction=0.5,
    )
    if is_paired:
        batch.add_record(silent)
        if primary.text_state is TextState.KEPT:
            _add_texts(batch, silent, chance, with_prompt=False)
    batch.add_offer(
        OfferRow(
            pair_id=primary.pair_id,
            silent_model=name,
            start_time=primary.started,
            end_time=primary.started + silent.latency,
            outcome=outcome if is_paired or outcome is Outcome.SHED else Outcome.UNPAIRED,
            fraction=0.5,
            record_id=silent.id if is_paired else None,
            caller=primary.caller,
            experiment=primary.experiment,
            variant=primary.variant,
            model_group=primary.group,
            comparison=_compare(chance) if is_paired else None,
            latency_difference=silent.latency - primary.latency if is_paired else None,
            length_difference=chance.randrange(-500, 500) if is_paired else None,
        )
    )


def _compare(chance: random.Random) -> Comparison:
    similarity = chance.random()
    return Comparison(similarity > 0.9, similarity > 0.8, 500, 480, similarity=similarity)


def _add_texts(batch: Batch, record: Record, chance: random.Random, *, with_prompt: bool) -> None:
    said = " ".join(chance.choices(_WORDS, k=200)) + RARE_WORD * (chance.random() < 1e-4)
    if with_prompt:
        _add(batch, record, PROMPT, (Message("user", content=said),))
    if not record.reason:
        answer = Message("assistant", content=said)
        _add(batch, record, record.id, (Choice(0, answer, "stop"),))


def _add(batch: Batch, record: Record, part: str, words: object) -> None:
    body = msgspec.json.encode(words).decode()
    batch.add_text(TextRow(record.pair_id, part, body, record.started))
