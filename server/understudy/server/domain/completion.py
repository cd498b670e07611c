"""What a model answers: a whole completion, or the deltas of one.

Values only; `providers` reads them from a provider's bytes, `servicers` writes them to callers.
"""

from msgspec import Struct

from understudy.server.domain.chat import Message
from understudy.server.domain.costs import UNPRICED, Cost


class Warning(Struct, frozen=True, gc=False):
    """Something changed or dropped on the way; `reason` is UPPER_SNAKE_CASE."""

    reason: str
    message: str


class PromptTokensDetails(Struct, frozen=True, gc=False):
    """Parts of the prompt's tokens."""

    cached_tokens: int = 0
    audio_tokens: int = 0
    cache_creation_tokens: int = 0


class CompletionTokensDetails(Struct, frozen=True, gc=False):
    """Parts of the answer's tokens."""

    reasoning_tokens: int = 0
    audio_tokens: int = 0
    accepted_prediction_tokens: int = 0
    rejected_prediction_tokens: int = 0


class Usage(Struct, frozen=True, gc=False):
    """Tokens, as the provider counted them."""

    prompt_tokens: int
    completion_tokens: int
    total_tokens: int
    prompt_tokens_details: PromptTokensDetails | None = None
    completion_tokens_details: CompletionTokensDetails | None = None


class TopLogprob(Struct, frozen=True, gc=False):
    """A token that the model considered, and the natural logarithm of its probability."""

    token: str
    logprob: float
    bytes: tuple[int, ...] = ()


class TokenLogprob(Struct, frozen=True, gc=False):
    """A token of the answer, and the likeliest ones at its place."""

    token: str
    logprob: float
    bytes: tuple[int, ...] = ()
    top_logprobs: tuple[TopLogprob, ...] = ()


class Logprobs(Struct, frozen=True, gc=False):
    """How likely the model thought its own tokens."""

    content: tuple[TokenLogprob, ...] = ()
    refusal: tuple[TokenLogprob, ...] = ()


class Choice(Struct, frozen=True):
    """One of n answers, or in a stream a piece of one.

    `finish_reason` is empty until the last piece.
    """

    index: int
    message: Message
    finish_reason: str = ""
    logprobs: Logprobs | None = None


class Completion(Struct, frozen=True):
    """A whole answer. `created` is in seconds since 1970 by the provider's clock, 0 if unsaid.

    `provider_cost_nano_usd` is what the provider itself says that it takes for it, in 10^-9 US
    dollars; most say nothing. `cost` is what it comes to, once somebody has priced it.
    """

    choices: tuple[Choice, ...]
    id: str = ""
    model: str = ""
    created: int = 0
    usage: Usage | None = None
    system_fingerprint: str = ""
    service_tier: str = ""
    warnings: tuple[Warning, ...] = ()
    provider_cost_nano_usd: int | None = None
    cost: Cost = UNPRICED


class Delta(Struct, frozen=True):
    """A piece of an answer. The last one may hold usage and no choice."""

    choices: tuple[Choice, ...]
    id: str = ""
    model: str = ""
    created: int = 0
    usage: Usage | None = None
    system_fingerprint: str = ""
    service_tier: str = ""
    provider_cost_nano_usd: int | None = None


class Routing(Struct, frozen=True):
    """Who answered and why. Nothing here depends on a mirror."""

    pair_id: str
    request_id: str
    group: str
    deployment: str
    provider: str
    model: str
    attempts: int
    revision: int
    variant: str = ""
    experiment: str = ""
