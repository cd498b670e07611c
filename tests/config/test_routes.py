"""Aliases and fallbacks: what leads where, and what leads nowhere."""

import pytest

from understudy.server.config import Config, Standing
from understudy.server.routing.groups import find_group

from .reading import faults, read

GROUPS = """
model_list:
  - {model_name: a, litellm_params: {model: simulated/a}}
  - {model_name: b, litellm_params: {model: simulated/b}}
  - {model_name: c, litellm_params: {model: simulated/c}}
"""


def found(config: Config, name: str) -> tuple[Standing, str]:
    (only,) = (one for one in config.report.keys if one.name == name)
    return only.standing, only.why


def test_aliases_lead_to_groups_and_may_be_hidden() -> None:
    snapshot = read(
        GROUPS
        + "router_settings: {model_group_alias: {x: a, y: {model: b, hidden: true}, z: {model: c}}}"
    ).snapshot

    assert snapshot.aliases == {"x": "a", "y": "b", "z": "c"}
    assert snapshot.hidden_aliases == {"y"}


def test_an_alias_counts_before_a_group_of_its_name() -> None:
    config = read(GROUPS + "router_settings: {model_group_alias: {a: b, b: a}}")

    assert find_group(config.snapshot, "a").name == "b"
    assert find_group(config.snapshot, "b").name == "a"
    assert "calls to 'a' go to 'b': an alias counts before a group" in config.report.notes


def test_an_alias_that_leads_nowhere_is_reported() -> None:
    config = read(GROUPS + "router_settings: {model_group_alias: {x: gpt}}")

    assert config.snapshot.aliases == {}
    standing, why = found(config, "router_settings.model_group_alias.x")
    assert (standing, why) == (Standing.IGNORED, "no model group is named 'gpt'")


@pytest.mark.parametrize("alias", ["5", "[a]", "null", "{hidden: true}"])
def test_an_alias_must_name_a_group(alias: str) -> None:
    text = GROUPS + f"router_settings: {{model_group_alias: {{x: {alias}}}}}"

    assert any("model_group_alias.x: must name a model group" in fault for fault in faults(text))


def test_fallbacks_are_read_from_either_section() -> None:
    for section in ("router_settings", "litellm_settings"):
        snapshot = read(
            GROUPS
            + f"""
{section}:
  fallbacks: [{{a: [b, c]}}, {{b: c}}]
  default_fallbacks: [c]
  context_window_fallbacks: [{{a: [c]}}]
  content_policy_fallbacks: [{{b: [a]}}]
"""
        ).snapshot

        assert snapshot.fallbacks == {"a": ("b", "c"), "b": ("c",), "*": ("c",)}
        assert snapshot.context_window_fallbacks == {"a": ("c",)}
        assert snapshot.content_policy_fallbacks == {"b": ("a",)}


def test_the_routers_fallbacks_count_and_the_others_are_named() -> None:
    config = read(
        GROUPS
        + "router_settings: {fallbacks: [{a: [b]}]}\nlitellm_settings: {fallbacks: [{a: [c]}]}"
    )

    assert config.snapshot.fallbacks == {"a": ("b",)}
    assert found(config, "litellm_settings.fallbacks") == (
        Standing.IGNORED,
        "router_settings.fallbacks counts",
    )


def test_a_fallback_to_nothing_is_missed_and_dropped() -> None:
    config = read(GROUPS + "router_settings: {fallbacks: [{a: [bb, c]}], default_fallbacks: [x]}")

    assert config.snapshot.fallbacks == {"a": ("c",)}
    assert found(config, "router_settings.fallbacks.bb") == (
        Standing.MISSED,
        "no model group is named 'bb'; did you mean 'b'?",
    )
    assert found(config, "router_settings.default_fallbacks.x")[0] is Standing.MISSED


def test_a_fallback_with_parameters_of_its_own_is_missed() -> None:
    config = read(GROUPS + "router_settings: {fallbacks: [{a: [{model: b, messages: []}]}]}")

    assert config.snapshot.fallbacks == {}
    assert found(config, "router_settings.fallbacks.a")[0] is Standing.MISSED


def test_a_fallback_of_nothing_is_without_effect() -> None:
    config = read(
        GROUPS + "router_settings: {fallbacks: [{zz: [a]}, {x: [b]}], model_group_alias: {x: a}}"
    )

    assert found(config, "router_settings.fallbacks.zz")[0] is Standing.IGNORED
    standing, why = found(config, "router_settings.fallbacks.x")
    assert (standing, why) == (Standing.IGNORED, "an alias falls back as its group does, 'a'")


def test_a_group_does_not_fall_back_to_itself() -> None:
    assert read(GROUPS + "router_settings: {fallbacks: [{a: [a]}]}").snapshot.fallbacks == {}


@pytest.mark.parametrize(
    ("fallbacks", "expected"),
    [
        ("{a: [b]}", "fallbacks: must be a list (is a mapping)"),
        ("[a]", "fallbacks[0]: must be a mapping (is 'a')"),
        ("[{a: [5]}]", "fallbacks[0].a: must name model groups (is 5)"),
    ],
)
def test_fallbacks_of_another_shape_are_refused(fallbacks: str, expected: str) -> None:
    (fault,) = faults(f"{GROUPS}router_settings: {{fallbacks: {fallbacks}}}")

    assert fault == f"config.yaml:6: router_settings.{expected}"
