"""Arguments mean what a file would: faults have paths, and nothing that mattered is dropped."""

import json
import logging
import math
import traceback
import warnings
from enum import StrEnum
from typing import Any

import pytest

from understudy import client
from understudy.server import Router
from understudy.server.errors import ConfigError
from understudy.server.inprocess import IgnoredArgumentWarning

from ..service.configs import deployment
from ..stub.faultstub import FaultStub
from .asking import HI, ask

KEY = "sk-canary-0123456789"


def faults(*model_list: dict[str, Any], **arguments: Any) -> list[str]:
    with pytest.raises(ConfigError) as refused:
        Router(model_list, **arguments)
    return refused.value.faults


def group(name: str = "m", **params: Any) -> dict[str, Any]:
    return {"model_name": name, "litellm_params": {"model": f"simulated/{name}", **params}}


def test_every_fault_has_the_path_of_its_argument() -> None:
    assert set(faults(group(weight=-1), {"litellm_params": {}}, num_retries=-2)) == {
        "model_list[0].litellm_params.weight: must not be negative (is -1)",
        "model_list[1].model_name: is missing",
        "router_settings.num_retries: must not be negative (is -2)",
    }


def test_a_name_where_a_list_belongs_is_refused() -> None:
    with pytest.raises(ConfigError, match="model_list: must be a list"):
        Router("config.yaml")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]


class Timeout:
    def __repr__(self) -> str:
        return KEY


@pytest.mark.parametrize(
    ("value", "path"),
    [
        (Timeout(), "model_list[0].litellm_params.timeout"),
        ([1, Timeout()], "model_list[0].litellm_params.timeout[1]"),
        ({1: 2}, "model_list[0].litellm_params.timeout"),
    ],
)
def test_what_no_file_could_hold_is_refused_with_its_path(value: object, path: str) -> None:
    (fault,) = faults(group(timeout=value))

    assert fault.startswith(f"{path}: ")
    assert KEY not in fault


def test_a_list_that_holds_itself_is_refused() -> None:
    endless: list[object] = []
    endless.append(endless)

    (fault,) = faults(group(metadata=endless))

    assert "holds itself" in fault


def test_what_protected_something_is_refused_until_it_is_accepted() -> None:
    (fault,) = faults(group(), cache_responses=True)
    assert fault.startswith("router_settings.cache_responses protected or recorded something")

    Router([group()], cache_responses=False)
    Router(
        [group()],
        cache_responses=True,
        understudy={"accept_ignored": ["router_settings.cache_responses"]},
    )


def test_an_unusable_share_is_refused_until_it_is_allowed() -> None:
    halves = [group(), {"model_name": "m", "litellm_params": {"model": "openai/gpt-4"}}]

    (fault,) = faults(*halves, environ={})
    assert "no key: set OPENAI_API_KEY" in fault

    Router(halves, environ={}, allow_unusable=True)


def test_an_argument_that_comes_to_nothing_is_warned_of_once_by_its_name() -> None:
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("default")
        for _ in range(3):
            Router([group()], debug_level="INFO", set_verbose=False, num_retries=1)

    assert [str(one.message).partition(":")[0] for one in told] == ["Router ignores debug_level"]
    assert told[0].category is IgnoredArgumentWarning
    assert told[0].filename == __file__


def test_a_fallback_from_nowhere_is_warned_of() -> None:
    with pytest.warns(IgnoredArgumentWarning, match=r"fallbacks\.n: no model group is named 'n'"):
        Router([group()], fallbacks=[{"n": ["m"]}])


class Strategy(StrEnum):
    SHUFFLE = "simple-shuffle"


def test_values_arrive_as_they_were_given(stub: FaultStub) -> None:
    text = 'a "b" \\ud83d \u2028\x85\x7f\n\t😀 on 1e5 #: {}'
    sent = {"min_p": 1e-05, "greeting": text, "many": (1, 2.5, None, True), "big": 2**60}
    one = deployment(stub, "ok", "ok", **sent)

    with Router([one], routing_strategy=Strategy.SHUFFLE) as router:
        ask(router, "sync", "ok")

    body = json.loads(stub.requests[0].body)
    assert {key: body[key] for key in sent} == {**sent, "many": [1, 2.5, None, True]}


@pytest.mark.parametrize("value", [math.nan, math.inf])
def test_no_number_without_end_is_a_weight(value: float) -> None:
    (fault,) = faults(group(weight=value))

    assert fault.startswith("model_list[0].litellm_params.weight: must be finite")


def test_what_litellms_router_takes_is_honoured(stub: FaultStub) -> None:
    with Router(
        [deployment(stub, "bad", "status-503"), deployment(stub, "good", "ok")],
        fallbacks=[{"bad": ["good"]}],
        model_group_alias={"other": "good"},
        num_retries=2,
        timeout=5,
    ) as router:
        assert ask(router, "sync", "bad") == "Hello from ok."
        assert ask(router, "sync", "other") == "Hello from ok."

    assert [one.model for one in stub.requests] == ["status-503"] * 3 + ["ok"] * 2


def test_a_variable_is_read_from_the_environment(
    stub: FaultStub, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SOME_KEY", KEY)
    with Router([deployment(stub, "ok", "ok", api_key="os.environ/SOME_KEY")]) as router:
        ask(router, "sync", "ok")

    assert stub.requests[0].headers["authorization"] == f"Bearer {KEY}"


@pytest.mark.parametrize("mode", ["status-401+echo-key", "bad-json", "close-before-headers"])
def test_a_key_is_in_no_repr_and_no_error(
    stub: FaultStub, caplog: pytest.LogCaptureFixture, mode: str
) -> None:
    caplog.set_level(logging.DEBUG)
    with Router([deployment(stub, mode, mode, api_key=KEY)], num_retries=0) as router:
        with pytest.raises(client.UnderstudyError) as failed:
            router.completion(mode, HI)

        told = [repr(router), str(router), repr(failed.value), str(failed.value.metadata)]

    told += traceback.TracebackException.from_exception(failed.value, capture_locals=True).format()
    assert KEY not in "".join(told) + caplog.text


def test_a_key_in_the_wrong_place_is_in_no_fault() -> None:
    params = {"model": "openai/m", "api_key": {"value": KEY}, "weight": -1}
    found = faults({"model_name": "m", "litellm_params": params}, understudy={"api_key": KEY})

    assert len(found) == 3
    assert KEY not in "".join(found)
