"""The service; and its engine in process, by two names that are found when first asked for.

    from understudy.server import Router, completion_with_split_tests

Importing this pulls nothing, so that a pure leaf such as `understudy.server.domain.chat` costs
no more than itself; each module names what it needs.
"""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from understudy.server.inprocess import (
        Router,
        acompletion_with_split_tests,
        completion_with_split_tests,
    )
else:

    def __getattr__(name: str) -> object:
        if name not in __all__:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        try:
            from understudy.server import inprocess
        except ModuleNotFoundError as error:
            if (error.name or "").startswith("understudy"):
                raise
            raise ModuleNotFoundError(
                f"{name} needs the server's packages ({error.name} is missing); install them with: "
                "pip install 'understudy[server]'",
                name=error.name,
            ) from error
        return getattr(inprocess, name)


__all__ = ["Router", "acompletion_with_split_tests", "completion_with_split_tests"]
