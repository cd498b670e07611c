"""A call that a server has begun is never sent twice, whatever becomes of the connection."""

import subprocess
import sys
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

import pytest

from understudy import client

from .asking import FLAVOURS, Flavour, ask
from .scripted import serving
from .wire import Break, breaking, finish, reset, turn_away

ROOT = Path(__file__).parents[2]


@contextmanager
def mortal() -> Generator[tuple[str, "subprocess.Popen[str]"]]:
    """A server process that dies when called, and its address."""
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.client.mortal"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        cwd=ROOT,
    )
    with process:
        assert process.stdout is not None
        yield process.stdout.readline().strip(), process
        process.kill()


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("flavour", FLAVOURS)
def test_a_call_begun_by_a_dying_server_is_not_sent_to_another(
    flavour: Flavour, stream: bool
) -> None:
    with mortal() as (one, first), mortal() as (two, second):
        with pytest.raises(client.Unavailable, match="a model may have been asked") as caught:
            ask(flavour, f"{one},{two}", stream=stream)

        first.kill()
        second.kill()
        begun = [process.communicate()[0] for process in (first, second)]

    assert sorted(begun) == ["", "begun\n"]
    assert not caught.value.repeatable


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("flavour", FLAVOURS)
@pytest.mark.parametrize("how", [finish, reset])
def test_a_call_on_a_broken_connection_is_not_sent_again(
    how: Break, flavour: Flavour, stream: bool
) -> None:
    with breaking(how) as wire:
        with pytest.raises(client.Unavailable, match="a model may have been asked"):
            ask(flavour, wire.address, stream=stream, timeout=10)

        assert wire.calls == 1


@pytest.mark.parametrize("flavour", FLAVOURS)
def test_a_call_that_was_not_begun_goes_to_another(flavour: Flavour) -> None:
    answers: list[list[str]] = []
    calls = 0
    while not calls and len(answers) < 100:  # which server is tried first is not given
        with breaking(turn_away, connections=1) as wire, serving() as server:
            answers.append(ask(flavour, f"{wire.address},{server.address}", timeout=10))
            calls = wire.calls

    assert answers == [["hi"]] * len(answers)
    assert calls == 1
