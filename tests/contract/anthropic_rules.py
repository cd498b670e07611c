"""What Anthropic refuses of a request to its Messages interface, in its own words."""

import re
from collections.abc import Iterator, Mapping
from typing import cast

Json = Mapping[str, object]

FIELDS = frozenset(
    """
    model messages max_tokens system metadata stop_sequences stream temperature top_k top_p tools
    tool_choice thinking service_tier output_config container mcp_servers cache_control
    """.split()  # noqa: SIM905, a list of names
)
BLOCKS: Mapping[str, frozenset[str]] = {
    "text": frozenset({"text"}),
    "image": frozenset({"source"}),
    "document": frozenset({"source", "title", "context", "citations"}),
    "tool_use": frozenset({"id", "name", "input"}),
    "tool_result": frozenset({"tool_use_id", "content", "is_error"}),
}
SOURCES: Mapping[str, frozenset[str]] = {
    "base64": frozenset({"media_type", "data"}),
    "url": frozenset({"url"}),
    "text": frozenset({"media_type", "data"}),
    "file": frozenset({"file_id"}),
}
CHOICES: Mapping[str, frozenset[str]] = {
    "auto": frozenset({"disable_parallel_tool_use"}),
    "any": frozenset({"disable_parallel_tool_use"}),
    "tool": frozenset({"name", "disable_parallel_tool_use"}),
    "none": frozenset(),
}
EFFORTS = ("low", "medium", "high", "xhigh", "max")
MOST_TOKENS = {"claude-3-haiku": 4096, "claude-3-5": 8192, "claude-opus-4-1": 32_000}
ALWAYS_THINKING = ("opus-5-5", "sonnet-5-5", "fable")
WITHOUT_SAMPLING = ("opus-4-7", "opus-4-8", "opus-5", "sonnet-5", "haiku-5", "fable")
WITH_ONE_OF_TWO = ("opus-4-1", "-4-5", "-4-6")
WITHOUT_SCHEMAS = ("claude-3-", "opus-4-1", "opus-4-2025", "sonnet-4-2025")
OLD = (*WITHOUT_SCHEMAS, "-4-5")


def find_faults(body: Json) -> Iterator[str]:
    """Yield what the provider says of a request that it does not take."""
    for name in ("model", "messages", "max_tokens"):
        if name not in body:
            yield f"{name}: Field required"
            return
    for name in body:
        if name not in FIELDS:
            yield f"{name}: Extra inputs are not permitted"
    yield from _check_messages(_objects(body["messages"]))
    yield from _check_limit(body)
    yield from _check_sampling(body)
    yield from _check_model(body)
    yield from _check_stops(body.get("stop_sequences", []))
    yield from _check_tools(body)
    yield from _check_output(body.get("output_config", {}))
    if body.get("service_tier", "auto") not in ("auto", "standard_only"):
        yield "service_tier: Input should be 'auto' or 'standard_only'"
    if set(_object(body.get("metadata", {}))) - {"user_id"}:
        yield "metadata: Extra inputs are not permitted"
    for block in _objects(body.get("system", [])):
        yield from _check_block(block, "system", only="text")


def _check_messages(messages: list[Json]) -> Iterator[str]:
    if not messages:
        yield "messages: at least one message is required"
    expected = "user"
    calls: set[object] = set()
    for at, message in enumerate(messages):
        path = f"messages.{at}"
        yield from _extras(message, frozenset({"role", "content"}), path)
        if message.get("role") != expected:
            yield 'messages: roles must alternate between "user" and "assistant"'
        expected = "assistant" if expected == "user" else "user"
        content = _objects(message["content"])
        if not content:
            yield f"{path}: all messages must have non-empty content"
        results = {one.get("tool_use_id") for one in content if one["type"] == "tool_result"}
        if results != calls:
            yield f"{path}: `tool_use` ids were found without `tool_result` blocks, or the reverse"
        calls = {one.get("id") for one in content if one["type"] == "tool_use"}
        for where, block in enumerate(content):
            yield from _check_block(block, f"{path}.content.{where}")


def _check_block(block: Json, path: str, only: str = "") -> Iterator[str]:
    kind = str(block.get("type"))
    fields = BLOCKS.get(kind)
    if fields is None or (only and kind != only):
        yield f"{path}: Input tag '{kind}' found using 'type' does not match any expected tags"
        return
    yield from _extras(block, fields | {"type", "cache_control"}, f"{path}.{kind}")
    if kind == "text" and not str(block["text"]).strip():
        yield "messages: text content blocks must contain non-whitespace text"
    if kind in ("image", "document"):
        yield from _check_source(_object(block["source"]), f"{path}.{kind}.source")
    if kind == "tool_use" and not isinstance(block.get("input"), dict):
        yield f"{path}.tool_use.input: Input should be a valid dictionary"
    identifier = block.get("id", block.get("tool_use_id", "x"))
    if not re.fullmatch("[a-zA-Z0-9_-]+", str(identifier)):
        yield f"{path}.{kind}.id: String should match pattern '^[a-zA-Z0-9_-]+$'"
    if kind == "tool_result" and not isinstance(content := block.get("content", ""), str):
        for at, inner in enumerate(_objects(content)):
            yield from _check_block(inner, f"{path}.tool_result.content.{at}")


def _check_source(source: Json, path: str) -> Iterator[str]:
    fields = SOURCES.get(str(source.get("type")))
    if fields is None:
        yield f"{path}: Input tag does not match any of the expected tags"
    elif set(source) != {*fields, "type"}:
        yield f"{path}: Extra inputs are not permitted"
    elif not str(source.get("url", "https://")).startswith("https://"):
        yield f"{path}.url: Only HTTPS URLs are supported"


def _check_limit(body: Json) -> Iterator[str]:
    limit, model = body["max_tokens"], str(body["model"])
    if not isinstance(limit, int) or limit < 1:
        yield "max_tokens: Input should be a valid integer, at least 1"
        return
    most = next((most for name, most in MOST_TOKENS.items() if name in model), 128_000)
    if limit > most:
        yield (
            f"max_tokens: {limit} > {most}, which is the maximum allowed number of output tokens "
            f"for {model}"
        )
    thinking = _object(body.get("thinking", {}))
    if thinking.get("type") == "enabled":
        budget = thinking.get("budget_tokens")
        if not isinstance(budget, int) or budget < 1024:
            yield "thinking.enabled.budget_tokens: Input should be at least 1024"
        elif budget >= limit:
            yield "`max_tokens` must be greater than `thinking.budget_tokens`"


def _check_sampling(body: Json) -> Iterator[str]:
    model = str(body["model"])
    thinks = _object(body.get("thinking", {})).get("type") in ("enabled", "adaptive")
    temperature, top_p = body.get("temperature"), body.get("top_p")
    for name, value in (("temperature", temperature), ("top_p", top_p)):
        if value is not None and (not isinstance(value, int | float) or not 0 <= value <= 1):
            yield f"{name}: range: 0..1"
        if value not in (None, 1) and _is(model, WITHOUT_SAMPLING):
            yield f"`{name}` is deprecated for this model."
    if temperature is not None and top_p is not None and _is(model, WITH_ONE_OF_TWO):
        yield "`temperature` and `top_p` cannot both be specified for this model."
    if thinks and temperature not in (None, 1):
        yield "`temperature` may only be set to 1 when thinking is enabled or in adaptive mode."
    if thinks and isinstance(top_p, int | float) and top_p < 0.95:
        yield "`top_p` must be greater than or equal to 0.95 or unset when thinking is enabled."


def _check_model(body: Json) -> Iterator[str]:
    """Yield what a request asks that its model cannot do."""
    model, output = str(body["model"]), _object(body.get("output_config", {}))
    kind = _object(body.get("thinking", {})).get("type")
    if _is(model, OLD) and output.get("effort"):
        yield "This model does not support the effort parameter."
    if _is(model, OLD) and kind == "adaptive":
        yield "adaptive thinking is not supported on this model"
    if _is(model, (*WITHOUT_SAMPLING, "claude-3-haiku", "claude-3-5")) and kind == "enabled":
        yield '"thinking.type.enabled" is not supported for this model.'
    if _is(model, ALWAYS_THINKING) and kind == "disabled":
        yield '"thinking.type.disabled" is not supported for this model.'
    forces = _object(body.get("tool_choice", {})).get("type") in ("any", "tool")
    if forces and _is(model, ALWAYS_THINKING):
        yield "tool_choice: forced tool use is not supported for this model"
    if forces and kind in ("enabled", "adaptive"):
        yield "Thinking may not be enabled when tool_choice forces tool use."
    if _is(model, WITHOUT_SCHEMAS):
        if "format" in output:
            yield "output_config.format: this model does not support structured outputs"
        if any(one.get("strict") for one in _objects(body.get("tools", []))):
            yield "tools: this model does not support strict tools"


def _check_stops(stops: object) -> Iterator[str]:
    for stop in cast(list[object], stops):
        if not isinstance(stop, str) or not stop.strip():
            yield "stop_sequences: each stop sequence must contain non-whitespace"


def _check_tools(body: Json) -> Iterator[str]:
    tools = _objects(body.get("tools", []))
    for at, tool in enumerate(tools):
        schema = _object(tool.get("input_schema", {}))
        if schema.get("type") != "object":
            yield f"tools.{at}.custom.input_schema.type: Field required"
        yield from _extras(
            tool,
            frozenset({"type", "name", "description", "input_schema", "strict", "cache_control"}),
            f"tools.{at}.custom",
        )
    if (wanted := body.get("tool_choice")) is not None:
        choice = _object(wanted)
        fields = CHOICES.get(str(choice.get("type")))
        if not tools:
            yield "tool_choice: may only be specified while providing tools"
        elif fields is None or set(choice) - {"type"} - fields:
            yield "tool_choice: Extra inputs are not permitted"


def _check_output(value: object) -> Iterator[str]:
    output = _object(value)
    yield from _extras(output, frozenset({"effort", "format"}), "output_config")
    if output.get("effort", "low") not in EFFORTS:
        yield "output_config.effort: Input should be 'low', 'medium', 'high', 'xhigh' or 'max'"
    if "format" in output and set(_object(output["format"])) != {"type", "schema"}:
        yield "output_config.format: Extra inputs are not permitted"


def _is(model: str, names: tuple[str, ...]) -> bool:
    return any(name in model for name in names)


def _extras(value: Json, fields: frozenset[str], path: str) -> Iterator[str]:
    for name in value:
        if name not in fields:
            yield f"{path}.{name}: Extra inputs are not permitted"


def _object(value: object) -> Json:
    return cast(Json, value)


def _objects(value: object) -> list[Json]:
    return cast(list[Json], value)
