"""What a file says of rests, and of fallbacks that come back to themselves."""

import pytest

from understudy.server.config import Standing

from .reading import deployments, faults, read
from .test_routes import GROUPS, found


@pytest.mark.parametrize("section", ["router_settings", "litellm_settings"])
def test_fails_and_rests_are_read_from_either_section(section: str) -> None:
    config = read(f"{GROUPS}{section}: {{allowed_fails: 3, cooldown_time: 30}}")

    assert {(one.allowed_fails, one.cooldown_time) for one in deployments(config)} == {(3, 30.0)}
    assert found(config, f"{section}.cooldown_time")[0] is Standing.HONOURED


def test_the_routers_fails_and_rests_count() -> None:
    config = read(
        GROUPS
        + """
router_settings: {allowed_fails: 1, cooldown_time: 10}
litellm_settings: {allowed_fails: 2, cooldown_time: 20}
"""
    )

    assert {(one.allowed_fails, one.cooldown_time) for one in deployments(config)} == {(1, 10.0)}
    assert found(config, "litellm_settings.allowed_fails")[0] is Standing.IGNORED


def test_without_a_word_our_own_rule_holds() -> None:
    assert {(one.allowed_fails, one.cooldown_time) for one in deployments(read(GROUPS))} == {
        (None, None)
    }


def test_a_deployments_own_rest_comes_first() -> None:
    config = read(
        """
        model_list:
          - {model_name: a, litellm_params: {model: simulated/a, cooldown_time: 0}}
          - {model_name: b, litellm_params: {model: simulated/b}}
        router_settings: {cooldown_time: 10}
        """
    )

    assert [one.cooldown_time for one in deployments(config)] == [0.0, 10.0]


def test_without_cooldowns_nobody_rests() -> None:
    config = read(GROUPS + "router_settings: {disable_cooldowns: true, cooldown_time: 10}")

    assert {one.cooldown_time for one in deployments(config)} == {0.0}


def test_fails_by_kind_are_missed() -> None:
    config = read(GROUPS + "router_settings: {allowed_fails_policy: {TimeoutErrorAllowedFails: 9}}")

    standing, why = found(config, "router_settings.allowed_fails_policy")
    assert standing is Standing.MISSED
    assert "allowed_fails" in why


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        ("allowed_fails: -1", "allowed_fails: must not be negative (is -1)"),
        ("cooldown_time: -1", "cooldown_time: must not be negative (is -1)"),
    ],
)
def test_what_is_no_number_of_fails_or_seconds_is_refused(settings: str, expected: str) -> None:
    (fault,) = faults(f"{GROUPS}router_settings: {{{settings}}}")

    assert fault == f"config.yaml:6: router_settings.{expected}"


@pytest.mark.parametrize(
    "kind", ["fallbacks", "context_window_fallbacks", "content_policy_fallbacks"]
)
def test_fallbacks_in_a_circle_are_refused_where_they_stand(kind: str) -> None:
    (fault,) = faults(
        GROUPS
        + f"""
router_settings:
  {kind}:
    - {{b: [c]}}
    - {{c: [a, b]}}
"""
    )

    assert fault == (
        f"config.yaml:9: router_settings.{kind}[0].b: leads back to itself: b → c → b; "
        "take one of these steps out"
    )


def test_a_circle_through_an_alias_is_one() -> None:
    (fault,) = faults(
        GROUPS
        + "router_settings: {model_group_alias: {x: a}, fallbacks: [{a: [b]}, {b: [c]}, {c: [x]}]}"
    )

    assert "fallbacks[0].a: leads back to itself: a → b → c → a" in fault


def test_what_everybody_falls_back_to_may_fall_back_to_the_others() -> None:
    snapshot = read(
        GROUPS + "router_settings: {fallbacks: [{a: [b]}], default_fallbacks: [a, b, c]}"
    ).snapshot

    assert snapshot.fallbacks == {"a": ("b",), "*": ("a", "b", "c")}


def test_a_larger_model_may_fall_back_to_the_smaller_one_for_other_reasons() -> None:
    snapshot = read(
        GROUPS + "router_settings: {fallbacks: [{b: [a]}], context_window_fallbacks: [{a: [b]}]}"
    ).snapshot

    assert snapshot.fallbacks == {"b": ("a",)}
    assert snapshot.context_window_fallbacks == {"a": ("b",)}
