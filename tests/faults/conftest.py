"""One house for all cases: to start it takes longer than to play most of them."""

from collections.abc import Generator

import pytest

from .house import House, house


@pytest.fixture(scope="package")
def our_house(tmp_path_factory: pytest.TempPathFactory) -> Generator[House]:
    """A service among misbehaving upstreams."""
    with house(tmp_path_factory.mktemp("house")) as made:
        yield made
