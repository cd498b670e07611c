"""What a call can cost at most, before it is sent, for whoever keeps a cap. Pure.

A bound, not a guess: a token has at least one byte, whatever the tokenizer, and every kind of
token costs what the dearest of its side does. What a picture or a document comes to is the one
thing that its size does not bound; for each as many tokens are added as the largest of pictures
have at providers that say.
"""

from typing import Final

from understudy.server.domain.costs import NANO, PerHour, PerSecond, Price, Rates, Tariff
from understudy.server.pricing.tariffs import find_all

TOKENS_PER_ATTACHMENT: Final = 50_000

_SECOND: Final = 1_000_000


def reserve(
    price: Price | None,
    at: int,
    *,
    prompt_bytes: int,
    max_tokens: int | None,
    choices: int = 1,
    attachments: int = 0,
    timeout: int | None = None,
) -> int | None:
    """Return the most that a call can cost, in 10^-9 dollars rounded up; None if nothing bounds it.

    `prompt_bytes` is the size of the request as sent, `max_tokens` the bound that the request
    sets for each of its `choices`, `timeout` the longest time that it is given, in microseconds.
    Where the request sets no bound, the model's own does, if the price knows it. A rented
    endpoint costs nothing more for being asked.
    """
    if price is None:
        return None
    prompt = max(prompt_bytes, 0) + TOKENS_PER_ATTACHMENT * max(attachments, 0)
    limits = [one for one in (max_tokens, price.max_output) if one is not None]
    answer = max(min(limits), 0) * max(choices, 1) if limits else None
    found = [_bound(tariff, prompt, answer, timeout) for tariff in find_all(price, at)]
    known = [one for one in found if one is not None]
    return -(-max(known) // NANO) if known and len(known) == len(found) else None


def _bound(tariff: Tariff, prompt: int, answer: int | None, timeout: int | None) -> int | None:
    if isinstance(tariff, PerHour):
        return 0
    if isinstance(tariff, PerSecond):
        return None if timeout is None else -(-max(timeout, 0) * tariff.rate // _SECOND)
    reached = [tariff.base, *(rates for threshold, rates in tariff.above if prompt > threshold)]
    found = [_dearest(rates, prompt, answer) for rates in reached]
    return max((one for one in found if one is not None), default=None)


def _dearest(rates: Rates, prompt: int, answer: int | None) -> int | None:
    """Return the cost if every token is of the dearest kind. Free answers need no bound."""
    if answer is None and rates.dearest_output:
        return None
    return rates.call + prompt * rates.dearest_input + (answer or 0) * rates.dearest_output
