"""Values that fit a JSON schema, for simulated tool calls and structured answers. Pure.

Fits the schemas that people write for models; it is no validator, and what it does not know it
fills with a word.
"""

from collections.abc import Mapping, Sequence
from random import Random
from typing import cast

from understudy.server.simulated.words import MARK

_DEEPEST = 12
_MOST = 1000  # values in all: schemas that refer to themselves have no end

Schema = Mapping[str, object]


def fill(schema: object, chance: Random) -> object:
    """Return a value that fits the schema."""
    return _Filler(schema, chance).fill(schema, 0)


class _Filler:
    """Fills one schema, whose references it can follow."""

    def __init__(self, root: object, chance: Random) -> None:
        self._root = root
        self._chance = chance
        self._left = _MOST

    def fill(self, schema: object, depth: int) -> object:
        self._left -= 1
        if depth > _DEEPEST or self._left < 0:
            return None
        if not isinstance(schema, dict):
            return f"{MARK} value"
        rules = cast(Schema, schema)
        if "const" in rules:
            return rules["const"]
        if choices := _items(rules.get("enum")):
            return self._chance.choice(choices)
        if isinstance(reference := rules.get("$ref"), str):
            return self.fill(_follow(self._root, reference), depth + 1)
        for word in ("anyOf", "oneOf", "allOf"):
            if options := _items(rules.get(word)):
                return self.fill(options[0], depth + 1)
        kind = rules.get("type", "object" if "properties" in rules else "string")
        if kinds := _items(kind):
            kind = kinds[0]
        return self._fill_kind(kind, rules, depth)

    def _fill_kind(self, kind: object, rules: Schema, depth: int) -> object:
        match kind:
            case "object":
                return {
                    name: self.fill(one, depth + 1)
                    for name, one in _members(rules.get("properties")).items()
                }
            case "array":
                count = min(max(1, int(_number(rules, "minItems", 1))), 100)
                return [self.fill(rules.get("items"), depth + 1) for _ in range(count)]
            case "integer":
                low = int(_number(rules, "minimum", 1))
                high = int(_number(rules, "maximum", low + 9))
                return self._chance.randint(low, max(low, high))
            case "number":
                least = _number(rules, "minimum", 0.5)
                most = _number(rules, "maximum", least + 9)
                return round(self._chance.uniform(least, max(least, most)), 2)
            case "boolean":
                return self._chance.random() < 0.5
            case "null":
                return None
            case _:
                return _fill_string(rules)


def _fill_string(rules: Schema) -> str:
    formats = {
        "date": "2025-01-31",
        "date-time": "2025-01-31T12:00:00Z",
        "email": "simulated@example.com",
        "time": "12:00:00Z",
        "uri": "https://example.com/simulated",
        "uuid": "00000000-0000-4000-8000-000000000000",
    }
    name = rules.get("format")
    text = formats.get(name, f"{MARK} text") if isinstance(name, str) else f"{MARK} text"
    text = text.ljust(min(int(_number(rules, "minLength", 0)), 10_000), ".")
    return text[: int(_number(rules, "maxLength", len(text)))]


def _follow(root: object, reference: str) -> object:
    found = root
    for part in reference.removeprefix("#").strip("/").split("/"):
        if part:
            found = _members(found).get(part.replace("~1", "/").replace("~0", "~"))
    return found


def _members(value: object) -> Schema:
    return cast(Schema, value) if isinstance(value, dict) else {}


def _items(value: object) -> Sequence[object]:
    return cast(Sequence[object], value) if isinstance(value, list) else ()


def _number(rules: Schema, name: str, default: float) -> float:
    value = rules.get(name)
    return value if isinstance(value, int | float) else default
