"""The public door: what it shows, and that both clients show the same."""

import inspect
from types import ModuleType

import pytest

from understudy import client
from understudy.client import AsyncClient, AsyncStream, Client, Stream, parameters, requests
from understudy.v1.completion_pb2 import CreateCompletionRequest

FUNCTIONS = (
    "completion",
    "completion_with_split_tests",
    "feedback",
    "list_models",
    "pairs",
    "records",
)


def public(owner: object) -> set[str]:
    return {name for name in vars(owner) if not name.startswith("_")}


def arguments(function: object) -> list[tuple[str, object, object]]:
    """The parameters of a function, without `self`."""
    assert callable(function)
    return [
        (one.name, one.kind, one.default)
        for one in inspect.signature(function).parameters.values()
        if one.name != "self"
    ]


def test_all_is_what_the_package_shows() -> None:
    shown = {name for name in public(client) if not isinstance(getattr(client, name), ModuleType)}

    assert set(client.__all__) == shown
    assert client.__all__ == sorted(client.__all__)


def test_every_error_is_shown() -> None:
    kinds = {kind.__name__ for kind in client.UnderstudyError.__subclasses__()}

    assert kinds < set(client.__all__)


def test_both_clients_have_the_same_methods() -> None:
    assert public(Client) == public(AsyncClient)
    for name in (*FUNCTIONS, "__init__", "raw_stub", "close"):
        assert arguments(getattr(Client, name)) == arguments(getattr(AsyncClient, name)), name


def test_both_streams_have_the_same_methods() -> None:
    assert public(Stream) == {"close"}
    assert public(AsyncStream) == {"aclose"}


@pytest.mark.parametrize("name", FUNCTIONS)
def test_a_function_takes_what_the_method_takes(name: str) -> None:
    assert arguments(getattr(client, name)) == arguments(getattr(Client, name))
    assert arguments(getattr(client, f"a{name}")) == arguments(getattr(Client, name))


def test_every_field_of_a_request_can_be_said() -> None:
    said = {"model", "messages", *parameters.Parameters.__annotations__} - {"timeout"}

    fields = set(CreateCompletionRequest.DESCRIPTOR.fields_by_name) - {"extra_body_json"}

    assert said == fields


def test_every_parameter_has_a_setter() -> None:
    for name in parameters.Parameters.__annotations__.keys() - {"timeout"}:
        requests.build_request(None, [], {name: None})


@pytest.mark.parametrize("cls", [Client, AsyncClient])
def test_a_client_shows_its_target_and_no_more(cls: type[Client] | type[AsyncClient]) -> None:
    assert repr(cls("localhost:1", api_key="canary")) == f"{cls.__name__}('localhost:1')"
