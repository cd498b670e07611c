"""Marks of what differs between two texts: nothing is lost, and nothing takes long."""

import time

from hypothesis import given
from hypothesis import strategies as st

from understudy.server.dashboard.marking import Run, mark

_TEXTS = st.text(alphabet="ab ,\n\u202e", max_size=60)


@given(_TEXTS, _TEXTS)
def test_each_text_is_all_there_and_what_is_shared_is_the_same(left: str, right: str) -> None:
    marked = mark(left, right)

    assert "".join(run.text for run in marked.left) == left
    assert "".join(run.text for run in marked.right) == right
    assert shared(marked.left) == shared(marked.right)


def test_a_word_that_was_put_in_is_all_that_is_marked() -> None:
    marked = mark("the cat sat", "the black cat sat")

    assert not [run for run in marked.left if not run.is_shared]
    assert [run.text.strip() for run in marked.right if not run.is_shared] == ["black"]


def test_texts_with_nothing_in_common_are_given_up_soon() -> None:
    left, right = "a b " * 5000, "c d " * 5000
    begin = time.perf_counter()

    marked = mark(left, right)

    assert time.perf_counter() - begin < 2
    assert not marked.is_compared


def shared(runs: tuple[Run, ...]) -> str:
    return "".join(run.text for run in runs if run.is_shared)
