"""Importing a leaf pulls no more than the leaf."""

import pytest

from .asking import run_script

HEAVY = ("grpc", "httpx", "aiohttp", "yaml", "pydantic", "uvloop", "asyncio", "google.protobuf")


@pytest.mark.parametrize(
    "leaf", ["understudy.server", "understudy.server.domain.chat", "understudy.server.errors"]
)
def test_a_leaf_pulls_nothing_heavy(leaf: str) -> None:
    ran = run_script(f"import sys, {leaf}; print(*sys.modules)")

    assert ran.returncode == 0, ran.stderr
    found = set(ran.stdout.split())
    assert not found & set(HEAVY)
    assert "understudy.server.inprocess" not in found


def test_the_names_of_the_package_are_found_when_asked_for() -> None:
    ran = run_script(
        "from understudy import server\n"
        "print(*(getattr(server, name).__name__ for name in server.__all__))\n"
        "print(hasattr(server, 'nothing'))"
    )

    assert ran.stdout.splitlines() == [
        "Router acompletion_with_split_tests completion_with_split_tests",
        "False",
    ]


def test_a_package_that_is_missing_is_named_with_what_to_install() -> None:
    ran = run_script(
        "import sys; sys.modules['yaml'] = None\n"
        "try: from understudy.server import Router\n"
        "except ImportError as error: print(error)"
    )

    assert ran.stdout == (
        "Router needs the server's packages (yaml is missing); install them with: "
        "pip install 'understudy[server]'\n"
    )
