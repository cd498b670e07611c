"""Says what a variant or a silent model may change in a prompt. What else is checked: `checking`."""

from collections.abc import Iterable
from typing import Final

import msgspec

from understudy.server.domain.chat import ChatCall
from understudy.server.domain.experiments import Overrides
from understudy.server.errors import RequestError
from understudy.server.routing.overriding import override

MOST_NESTING: Final = 64
_MOST_TOKENS: Final = 2**31 - 1

_RESERVED: Final = {
    **dict.fromkeys(
        ("model", "messages", "stream", "stream_options", "metadata"),
        "is not for an experiment to set",
    ),
    **dict.fromkeys(
        ("system_prompt", "temperature", "max_tokens", "top_p"),
        "has a field of its own; set that instead",
    ),
    **dict.fromkeys(
        ("api_key", "api_base", "base_url", "api_version", "extra_headers", "custom_llm_provider"),
        "belongs into the configuration file, with its deployment",
    ),
}

Json = str | float | list["Json"] | dict[str, "Json"] | None


def check_overrides(path: str, overrides: Overrides) -> int:
    """Return how many bytes of text there are. Raises RequestError with the path of the fault."""
    check_range(f"{path}.temperature", overrides.temperature, 0, 2)
    check_range(f"{path}.top_p", overrides.top_p, 0, 1)
    check_range(f"{path}.max_tokens", overrides.max_tokens, 1, _MOST_TOKENS)
    try:
        size = len((overrides.system_prompt or "").encode())
    except UnicodeEncodeError:
        raise RequestError(
            "the prompt holds a lone surrogate, which is no character",
            field=f"{path}.system_prompt",
        ) from None
    path += ".params_json"
    for name, text in overrides.params.items():
        if name in _RESERVED:
            raise RequestError(f"{name!r} {_RESERVED[name]}", field=path)
        if name == "max_completion_tokens" and overrides.max_tokens is not None:
            raise RequestError(f"{name!r} and max_tokens are one limit; set one", field=path)
        try:
            value: Json = msgspec.json.decode(text)
            deep = _is_deep(value)
        except RecursionError:
            deep = True
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            raise RequestError(f"{name[:128]!r} is not JSON: {error}", field=path) from None
        if deep:
            raise RequestError(f"{name[:128]!r} is nested too deep", field=path)
        size += len(name) + len(bytes(text))
    try:
        override(ChatCall((), {}), overrides)
    except RequestError as error:
        raise RequestError(error.message, field=path) from None
    return size


def _is_deep(value: Json) -> bool:
    level = [value]
    for _ in range(MOST_NESTING):
        level = [inner for one in level for inner in _members(one)]
        if not level:
            return False
    return True


def _members(value: Json) -> Iterable[Json]:
    if isinstance(value, dict):
        return value.values()
    return value if isinstance(value, list) else ()


def check_range(path: str, value: float | None, low: float, high: float) -> None:
    """Raise RequestError for a number that is not between the two, nor one of them."""
    if value is not None and not low <= value <= high:  # NaN is in no range
        raise RequestError(f"{path} is {value}; it must be in [{low:g}, {high:g}]", field=path)
