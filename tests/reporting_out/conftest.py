"""What tests of reports need: to know the processes that are theirs."""

import pytest

from . import brood


@pytest.fixture(autouse=True)
def _others_are_known() -> None:
    """Others have processes too, such as the demo that serves the whole run."""
    brood.forget()
