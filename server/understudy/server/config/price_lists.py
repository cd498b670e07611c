"""Reads the operator's price list: our own form in YAML, or LiteLLM's map of models in JSON.

    version: 2026-11                  # named with each cost; else a digest of the file
    prices:
      - model: openai/gpt-4o          # provider/model, where * stands for anything; or
        effective_from: 2026-01-01    # deployment: ID, or group: NAME
        input: 2.5                    # dollars for a million tokens
        output: 10
        cached_input: 1.25            # also cache_creation, reasoning, input_audio, output_audio
        above: {200000: {input: 5, output: 20}}
      - deployment: rented
        usd_per_hour: 3.6             # or usd_per_second

A file that ends in `.json` is LiteLLM's, of which only the entries that are needed are read.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from fnmatch import fnmatchcase
from hashlib import sha256
from typing import Final

import msgspec
from msgspec import Raw

from understudy.server.config import rates, units
from understudy.server.config.document import Node, read_document
from understudy.server.config.faults import Faults, did_you_mean
from understudy.server.config.fields import Fields
from understudy.server.config.litellm_prices import read_price
from understudy.server.domain.costs import (
    PerHour,
    Period,
    PerSecond,
    PerToken,
    Price,
    PriceSource,
    Rates,
    Tariff,
)

_SELECTORS: Final = ("deployment", "group", "model")
_KINDS: Final = (
    "input",
    "output",
    "cached_input",
    "cache_creation",
    "input_audio",
    "reasoning",
    "output_audio",
)
_KEYS: Final = (
    *_SELECTORS,
    *_KINDS,
    "effective_from",
    "above",
    "usd_per_call",
    "usd_per_second",
    "usd_per_hour",
    "max_output_tokens",
)
_ENTRIES: Final = msgspec.json.Decoder(dict[str, Raw])
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_DIGEST: Final = 8


@dataclass(frozen=True, slots=True)
class Named:
    """What a deployment goes by in a price list: `models` from the most telling name on.

    `provider` is whose an entry of LiteLLM's must be to be found by `model` alone.
    """

    deployment: str
    group: str
    provider: str
    model: str
    models: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class _Row:
    selector: str
    name: str
    since: int
    tariff: Tariff
    max_output: int | None


class PriceList:
    """The operator's prices."""

    def __init__(
        self,
        version: str,
        rows: Sequence[_Row] = (),
        entries: Mapping[str, Raw] | None = None,
        file: str = "",
        faults: Faults | None = None,
    ) -> None:
        self._version = version
        self._rows = rows
        self._entries = entries or {}
        self._file = file
        self._faults = faults or Faults()

    def find(self, named: Named) -> Price | None:
        """Return the price of a deployment, None if the list has none. Raises UnpricedError."""
        row = next(self._matching(named), None)
        if row is None:
            return self._find_entry(named)
        history = sorted(
            (one for one in self._rows if (one.selector, one.name) == (row.selector, row.name)),
            key=lambda one: one.since,
        )
        return Price(
            PriceSource.PRICE_FILE,
            self._version,
            tuple(Period(one.since, ((0, one.tariff),)) for one in history),
            max_output=next((one.max_output for one in history if one.max_output), None),
        )

    def _matching(self, named: Named) -> Iterator[_Row]:
        """Yield the rows that mean a deployment, from the closest on."""
        for selector, name in (("deployment", named.deployment), ("group", named.group)):
            yield from (one for one in self._rows if (one.selector, one.name) == (selector, name))
        models = [one for one in self._rows if one.selector == "model"]
        for name in named.models:
            yield from (one for one in models if one.name == name)
        for name in named.models:
            yield from (one for one in models if "*" in one.name and fnmatchcase(name, one.name))

    def _find_entry(self, named: Named) -> Price | None:
        for name in (*named.models, named.model):
            raw = self._entries.get(name)
            if raw is None:
                continue
            entry = self._read_entry(name, raw)
            whose = entry.values.get("litellm_provider")
            if name != named.model or (whose is not None and whose.value == named.provider):
                return read_price((entry,), PriceSource.PRICE_FILE, self._version)
        return None

    def _read_entry(self, name: str, raw: Raw) -> Fields:
        node = Node(None, self._file, 1)
        try:
            values = msgspec.json.decode(raw, type=dict[str, object])
        except msgspec.DecodeError:
            self._faults.add(node, name, "must be a mapping")
            return Fields(node, name, self._faults)
        scalars = {
            key: node.with_value(one)
            for key, one in values.items()
            if one is None or isinstance(one, str | int | float)
        }
        return Fields(node.with_value(scalars), name, self._faults)


def read_price_list(text: str, file: str, faults: Faults) -> PriceList:
    """Return the list of a file. Raises ConfigError for what is not YAML."""
    digest = sha256(text.encode(errors="replace")).hexdigest()[:_DIGEST]
    if file.endswith(".json"):
        try:
            entries = _ENTRIES.decode(text)
        except (msgspec.DecodeError, UnicodeEncodeError, RecursionError):
            faults.add(Node(None, file, 1), "", "is not a JSON object of models")
            entries = {}
        return PriceList(f"{file} {digest}", entries=entries, file=file, faults=faults)
    top = Fields(read_document(text, file), "", faults)
    _check_keys(top, ("version", "prices"))
    version = top.text("version") or digest
    rows: dict[tuple[str, str, int], _Row] = {}
    for index, item in enumerate(top.items("prices")):
        fields = Fields(item, f"prices[{index}]", faults)
        row = _read_row(fields)
        if row is None:
            continue
        key = row.selector, row.name, row.since
        if key in rows:
            fields.fault(row.selector, f"{row.name!r} is there twice from the same day on")
        rows[key] = row
    return PriceList(f"{file} {version}", tuple(rows.values()))


def _read_row(fields: Fields) -> _Row | None:
    _check_keys(fields, _KEYS)
    given = [one for one in _SELECTORS if fields.has(one)]
    if len(given) != 1:
        fields.faults.add(fields.node, fields.path, f"needs one of {', '.join(_SELECTORS)}")
        return None
    name = fields.read(given[0], units.name)
    since = fields.read("effective_from", _instant) or 0
    limit = fields.read("max_output_tokens", units.positive_count)
    tariff = _read_tariff(fields)
    return None if name is None or tariff is None else _Row(given[0], name, since, tariff, limit)


def _read_tariff(fields: Fields) -> Tariff | None:
    ways = [one for one in ("input", "usd_per_second", "usd_per_hour") if fields.has(one)]
    if len(ways) != 1:
        told = "needs one way to pay: input and output, usd_per_second, usd_per_hour"
        fields.faults.add(fields.node, fields.path, told)
        return None
    if ways == ["usd_per_hour"]:
        hourly = fields.read("usd_per_hour", rates.per_hour)
        return None if hourly is None else PerHour(hourly)
    if ways == ["usd_per_second"]:
        rate = fields.read("usd_per_second", rates.per_second)
        return None if rate is None else PerSecond(rate)
    if not fields.has("output"):
        fields.fault("output", "is missing")
        return None
    return _read_tokens(fields)


def _read_tokens(fields: Fields) -> PerToken:
    call = fields.read("usd_per_call", rates.per_call) or 0
    found = {key: fields.read(key, rates.per_million) for key in _KINDS}
    base = _to_rates(found, call)
    above: list[tuple[int, Rates]] = []
    longer = fields.mapping("above")
    thresholds: dict[int, Fields] = {}
    for key in longer.values:
        try:
            thresholds[units.positive_count(key)] = longer.mapping(key)
        except units.UnreadableError as error:
            longer.fault(key, f"{error}: it is a number of tokens")
    for threshold, below in sorted(thresholds.items()):
        _check_keys(below, _KINDS)
        dearer = {key: below.read(key, rates.per_million) for key in _KINDS}
        found |= {key: one for key, one in dearer.items() if one is not None}
        above.append((threshold, _to_rates(found, call)))
    return PerToken(base, tuple(above))


def _to_rates(found: Mapping[str, int | None], call: int) -> Rates:
    return Rates.of(
        found["input"] or 0,
        found["output"] or 0,
        cached_input=found["cached_input"],
        cache_creation=found["cache_creation"],
        input_audio=found["input_audio"],
        reasoning=found["reasoning"],
        output_audio=found["output_audio"],
        call=call,
    )


def _check_keys(fields: Fields, known: Sequence[str]) -> None:
    for key in fields.values:
        if key not in known:
            fields.fault(key, f"there is no such key{did_you_mean(key, known)}")


def _instant(value: object) -> int:
    """Return microseconds since 1970 from a date or a time, UTC unless it says otherwise."""
    try:
        found = datetime.fromisoformat(value if isinstance(value, str) else "")
    except ValueError:
        raise units.UnreadableError("must be a date such as 2026-01-31") from None
    found = found if found.tzinfo else found.replace(tzinfo=UTC)
    return max((found - _EPOCH) // timedelta(microseconds=1), 0)
