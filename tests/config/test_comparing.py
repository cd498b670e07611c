"""What is different between two readings of a file, and what of it waits for another start."""

import json
from dataclasses import fields, is_dataclass
from typing import Any

import pytest

from understudy.server.config.comparing import (
    Differences,
    compare,
    find_replaced,
    find_waiting,
)
from understudy.server.config.settings import Settings
from understudy.server.config.standings import find_rule

from .reading import deployments, read


def text(models: dict[str, dict[str, Any]], **sections: Any) -> str:
    entries = [
        {"model_name": name, "litellm_params": {"model": "openai/m", "api_key": "k", **params}}
        for name, params in models.items()
    ]
    return json.dumps({"model_list": entries, **sections})


BEFORE: dict[str, dict[str, Any]] = {"a": {}, "b": {}}


@pytest.mark.parametrize(
    ("after", "differences"),
    [
        ({"a": {}, "b": {}}, Differences()),
        ({"b": {}, "a": {}}, Differences()),
        ({"a": {}, "c": {}}, Differences(added=("c",), removed=("b",))),
        *(
            ({"a": {}, "b": params}, Differences(changed=("b",)))
            for params in (
                {"weight": 1},
                {"api_key": "other"},
                {"api_base": "https://h/v1"},
                {"temperature": 0.5},
                {"silent_model": "a"},
                {"ssl_verify": False},
                {"timeout": 3},
                {"model": "bedrock/x"},
            )
        ),
    ],
)
def test_model_groups_are_compared_by_all_that_they_say(
    after: dict[str, dict[str, Any]], differences: Differences
) -> None:
    assert compare(read(text(BEFORE)), read(text(after))) == differences


@pytest.mark.parametrize(
    "settings",
    [
        {"model_group_alias": {"x": "a"}},
        {"num_retries": 5},
        {"fallbacks": [{"a": ["b"]}]},
    ],
)
def test_other_routing_is_a_difference_too(settings: dict[str, Any]) -> None:
    found = compare(read(text(BEFORE)), read(text(BEFORE, router_settings=settings)))

    assert found == Differences(routing=True)


def test_a_deployment_is_another_where_it_is_elsewhere_or_somebody_else() -> None:
    old = read(text({"kept": {}, "keyed": {}, "gone": {}}))
    new = read(text({"kept": {"weight": 3, "temperature": 1}, "keyed": {"api_key": "new"}}))
    ids = {one.group: one.id for one in deployments(old)}

    replaced = find_replaced(old.snapshot, new.snapshot)

    assert replaced == {ids["keyed"], ids["gone"]}


@pytest.mark.parametrize(
    ("section", "waiting"),
    [
        ({}, []),
        ({"server": {"port": 1}}, ["understudy.server.port"]),
        (
            {"server": {"tls": {"cert_file": "c", "key_file": "k"}}},
            ["understudy.server.tls.cert_file"],
        ),
        ({"records": {"url": "postgresql://u:sk-canary@h/d"}}, ["understudy.records.url"]),
        (
            {"experiments": {"register_on_first_call": "on"}},
            ["understudy.experiments.register_on_first_call"],
        ),
        (
            {
                "server": {"allowed_endpoints": ["https://h"], "insecure": True},
                "accept_ignored": ["x"],
            },
            [],
        ),
    ],
)
def test_what_waits_for_another_start_is_found(section: dict[str, Any], waiting: list[str]) -> None:
    before, after = read(text(BEFORE)), read(text(BEFORE, understudy=section))

    assert find_waiting(before.settings, after.settings) == waiting


def test_certificates_wait_for_nothing_but_that_there_are_some() -> None:
    def tls(name: str) -> str:
        files = {"cert_file": f"c{name}", "key_file": f"k{name}", "client_ca_file": f"a{name}"}
        return text(BEFORE, understudy={"server": {"tls": files}})

    before, after = read(tls("1")), read(tls("2"))

    assert find_waiting(before.settings, after.settings) == []
    assert compare(before, after).settings == (
        "understudy.server.tls.cert_file",
        "understudy.server.tls.key_file",
        "understudy.server.tls.client_ca_file",
    )


def test_every_setting_has_a_path_that_the_table_knows() -> None:
    def paths(value: object, path: str) -> list[str]:
        if not is_dataclass(value):
            return [path]
        found: list[str] = []
        for one in fields(value):
            found += paths(getattr(value, one.name), f"{path}.{one.name}")
        return found

    known = paths(Settings(), "understudy")

    assert "understudy.server.tls.cert_file" in known
    assert [one for one in known if find_rule(one).why.startswith("not a key")] == []
