"""What no experiment may be is refused by the path of its field."""

import math
from collections.abc import Callable, Mapping

import pytest
from msgspec import Raw, structs

from understudy.server.domain.deployment import ModelGroup
from understudy.server.domain.experiments import (
    Assignment,
    Experiment,
    KeyKind,
    MirrorPart,
    Overrides,
    Variant,
)
from understudy.server.errors import AccessError, Reason, RequestError
from understudy.server.experiments.checking import MOST_TEXT, check

from .making import changed, draft, find

FINE = draft()


def refused(experiment: Experiment) -> RequestError:
    with pytest.raises(RequestError) as caught:
        check(experiment, find)
    return caught.value


def with_overrides(**fields: object) -> Experiment:
    return changed(FINE, "b", overrides=structs.replace(Overrides(), **fields))


def with_params(params: Mapping[str, bytes]) -> Experiment:
    return with_overrides(params={name: Raw(text) for name, text in params.items()})


def with_mirror(**fields: object) -> Experiment:
    return structs.replace(FINE, mirror=(structs.replace(MirrorPart("gpt-4"), **fields),))


def test_an_experiment_with_everything_is_taken() -> None:
    overrides = Overrides("Be brief.", 2.0, 1, 0.0, {"top_k": Raw(b"5"), "tools": Raw(b"[]")})
    check(
        structs.replace(
            changed(FINE, "b", overrides=overrides, model_group="best"),
            title="Ça alors — 日本 👩‍🚀",
            model_group="gpt-4",
            assignment=Assignment(KeyKind.METADATA, "team"),
            mirror=(MirrorPart("gpt-4", 0, 0.5, overrides), MirrorPart("llama-2", 1.0)),
        ),
        find,
    )


@pytest.mark.parametrize("name", ["", "-a", ".a", "a/b", "a b", "é", "a\n", "a" * 129])
def test_an_id_is_letters_and_digits(name: str) -> None:
    assert refused(structs.replace(FINE, id=name)).field == "experiment_id"
    assert refused(changed(FINE, "b", id=name)).field == "experiment.variants[1].id"


@pytest.mark.parametrize("name", ["a", "Z-1._", "a" * 128])
def test_an_id_may_be_short_and_long(name: str) -> None:
    check(structs.replace(FINE, id=name), find)


@pytest.mark.parametrize("weight", [-1, 10_001, 2001])
def test_weights_are_basis_points_that_sum_to_a_whole(weight: int) -> None:
    assert refused(changed(FINE, "b", weight=weight)).field.startswith("experiment.variants")


@pytest.mark.parametrize("count", [0, 1, 65])
def test_there_are_two_variants_at_least_and_not_too_many(count: int) -> None:
    variants = tuple(Variant(f"v{at}", "gpt-4", 10_000 if not at else 0) for at in range(count))

    assert refused(structs.replace(FINE, variants=variants)).field == "experiment.variants"


@pytest.mark.parametrize(
    ("fault", "field"),
    [
        (lambda: changed(FINE, "b", id="a"), "experiment.variants[1].id"),
        (lambda: structs.replace(FINE, control="c"), "experiment.control"),
        (lambda: structs.replace(FINE, control=""), "experiment.control"),
        (lambda: structs.replace(FINE, title="x" * 257), "experiment.title"),
        (lambda: structs.replace(FINE, title="a\nb"), "experiment.title"),
        (lambda: structs.replace(FINE, title="a\u2028b"), "experiment.title"),
        (
            lambda: structs.replace(FINE, assignment=Assignment(KeyKind.METADATA)),
            "experiment.assignment.metadata_key",
        ),
        (
            lambda: structs.replace(FINE, assignment=Assignment(KeyKind.USER, "team")),
            "experiment.assignment.metadata_key",
        ),
        (
            lambda: structs.replace(FINE, assignment=Assignment(KeyKind.METADATA, "k" * 65)),
            "experiment.assignment.metadata_key",
        ),
        (lambda: with_mirror(fraction=-0.1), "experiment.mirror[0].fraction"),
        (lambda: with_mirror(fraction=1.1), "experiment.mirror[0].fraction"),
        (lambda: with_mirror(fraction=math.nan), "experiment.mirror[0].fraction"),
        (lambda: with_mirror(timeout=0.0), "experiment.mirror[0].timeout"),
        (lambda: with_mirror(timeout=math.nan), "experiment.mirror[0].timeout"),
        (lambda: with_mirror(timeout=math.inf), "experiment.mirror[0].timeout"),
        (
            lambda: with_mirror(overrides=Overrides(top_p=2)),
            "experiment.mirror[0].overrides.top_p",
        ),
        (
            lambda: structs.replace(FINE, mirror=(MirrorPart("gpt-4"),) * 2),
            "experiment.mirror[1].model_group",
        ),
        (
            lambda: structs.replace(FINE, mirror=(MirrorPart("gpt-4"),) * 17),
            "experiment.mirror",
        ),
    ],
)
def test_a_fault_is_named_by_its_path(fault: Callable[[], Experiment], field: str) -> None:
    error = refused(fault())

    assert error.field == field
    assert error.reason is Reason.INVALID_REQUEST


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("temperature", 2.1),
        ("temperature", -0.1),
        ("temperature", math.nan),
        ("top_p", 1.1),
        ("top_p", math.inf),
        ("max_tokens", 0),
        ("max_tokens", 2**31),
        ("system_prompt", "\ud800"),
    ],
)
def test_what_is_changed_in_a_prompt_has_its_range(name: str, value: object) -> None:
    path = f"experiment.variants[1].overrides.{name}"

    assert refused(with_overrides(**{name: value})).field == path


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("model", b'"gpt-5"'),
        ("messages", b"[]"),
        ("stream", b"true"),
        ("metadata", b"{}"),
        ("temperature", b"1"),
        ("system_prompt", b'"hi"'),
        ("api_key", b'"sk-1"'),
        ("api_base", b'"http://127.0.0.1"'),
        ("tools", b"7"),
        ("tool_choice", b"[]"),
        ("response_format", b'{"json_schema":{}}'),
        ("seed", b"0x"),
        ("seed", b'"\xff"'),
        ("seed", b"[" * 65 + b"]" * 65),
        ("seed", b"[" * 100_000),
    ],
)
def test_a_parameter_that_is_none_is_refused(name: str, text: bytes) -> None:
    error = refused(with_params({name: text}))

    assert error.field == "experiment.variants[1].overrides.params_json"
    assert "sk-1" not in error.message


def test_a_limit_is_set_by_one_name_only() -> None:
    params = {"max_completion_tokens": Raw(b"5")}

    check(with_overrides(params=params), find)
    assert "one limit" in refused(with_overrides(params=params, max_tokens=5)).message


def test_all_texts_together_are_bounded() -> None:
    half = "é" * (MOST_TEXT // 4)
    fine = changed(FINE, "a", overrides=Overrides(half[: MOST_TEXT // 4]))

    check(changed(fine, "b", overrides=Overrides(half)), find)
    assert "bytes" in refused(changed(fine, "b", overrides=Overrides(half + "!"))).message


@pytest.mark.parametrize(
    ("experiment", "path"),
    [
        (structs.replace(FINE, model_group="gtp-4"), "experiment.model_group"),
        (changed(FINE, "b", model_group="gtp-4"), "experiment.variants[1].model_group"),
        (with_mirror(model_group="gtp-4"), "experiment.mirror[0].model_group"),
    ],
)
def test_a_group_that_is_none_is_told_with_the_nearest(experiment: Experiment, path: str) -> None:
    error = refused(experiment)

    assert error.reason is Reason.MODEL_NOT_FOUND
    assert error.field == path == error.metadata["field"]
    assert error.metadata["model"] == "gtp-4"
    assert "did you mean 'gpt-4'?" in error.message


def test_a_variant_without_a_group_is_refused() -> None:
    assert refused(changed(FINE, "b", model_group="")).reason is Reason.INVALID_REQUEST


def test_a_group_is_taken_over_by_its_own_name() -> None:
    assert "'gpt-4'" in refused(structs.replace(FINE, model_group="best")).message


def test_a_url_that_callers_may_not_name_is_refused_as_to_them() -> None:
    def deny(name: str) -> ModelGroup:
        raise AccessError(Reason.ENDPOINT_NOT_ALLOWED, f"{name} is not listed")

    with pytest.raises(AccessError):
        check(FINE, deny)


def test_a_group_that_was_named_before_is_not_looked_up() -> None:
    gone = changed(FINE, "b", model_group="gone")

    check(gone, find, kept={"gone"})
    assert refused(gone).reason is Reason.MODEL_NOT_FOUND
