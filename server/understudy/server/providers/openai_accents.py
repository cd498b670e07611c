"""How those who speak OpenAI's protocol differ from OpenAI, as data, and how a prompt is fitted. Pure.

Only what a provider is known to refuse stands here; what it merely ignores is sent, and what
nobody knows is the provider's to judge. Writing a body in OpenAI's own words is `openai`.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from types import MappingProxyType

import msgspec
from msgspec import UNSET, Raw, structs

from understudy.server.domain.chat import ChatCall, ContentPart, Extra, Message
from understudy.server.domain.deployment import Deployment
from understudy.server.providers.features import Feature
from understudy.server.providers.leaving import Losses
from understudy.server.providers.merging import LIMITS

Body = dict[str, object]
Fit = Callable[[Message], Message]

# Worth no warning when they are left out, for they say what goes without saying.
_DEFAULTS: Mapping[str, object] = MappingProxyType(
    {
        "temperature": 1,
        "top_p": 1,
        "n": 1,
        "presence_penalty": 0,
        "frequency_penalty": 0,
        "logprobs": False,
        "logit_bias": {},
    }
)
# Labels that change nothing about an answer: who does not know them has nothing to lose.
_HARMLESS = frozenset({"user", "store", "service_tier"})
_FIELDS: Mapping[Feature, frozenset[str]] = MappingProxyType(
    {
        Feature.LOGPROBS: frozenset({"logprobs", "top_logprobs"}),
        Feature.MANY: frozenset({"n"}),
        Feature.SEED: frozenset({"seed"}),
        Feature.STOP: frozenset({"stop"}),
        Feature.PENALTIES: frozenset({"presence_penalty", "frequency_penalty"}),
        Feature.LOGIT_BIAS: frozenset({"logit_bias"}),
        Feature.EFFORT: frozenset({"reasoning_effort"}),
        Feature.USER: frozenset({"user"}),
    }
)


@dataclass(frozen=True, slots=True)
class Unwilling:
    """Models that refuse what others of their provider take; their names change often.

    Hence nothing is withheld from them unless the deployment allows it: the provider judges.
    """

    names: re.Pattern[str]
    refused: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Accent:
    """How a provider's requests differ from OpenAI's."""

    always_stream: bool = False  # `"stream": false` is written too
    asked_for_usage: bool = True  # else a stream brings it unasked, and `stream_options` is refused
    token_limit: str = ""  # the only name that `max_tokens` and `max_completion_tokens` go by
    reasoning_limit: str = ""  # likewise, for reasoning models
    extra: Mapping[str, Raw] = field(default_factory=dict[str, Raw])
    renamed: Mapping[str, str] = field(default_factory=dict[str, str])
    refused: tuple[str, ...] = ()
    refuses_names: bool = False  # `messages[].name`
    thoughts: Fit | None = None  # what becomes of an earlier answer's `reasoning_content`
    unwilling: Unwilling | None = None
    mute: frozenset[Feature] = frozenset()  # what its answers never hold


def _rename_thoughts(message: Message) -> Message:
    """Say `reasoning`, where `reasoning_content` is refused."""
    extra: Extra = {} if message.extra is UNSET else message.extra
    told = Raw(msgspec.json.encode(message.reasoning_content))
    return structs.replace(message, reasoning_content=UNSET, extra={"reasoning": told, **extra})


def _think_in_parts(message: Message) -> Message:
    """Make of thoughts the first part of the content, as Mistral's own answers have them."""
    thoughts = Raw(msgspec.json.encode([{"type": "text", "text": message.reasoning_content}]))
    parts = [ContentPart("thinking", extra={"thinking": thoughts})]
    content = message.content
    if isinstance(content, str) and content:
        parts.append(ContentPart("text", text=content))
    elif isinstance(content, tuple):
        parts.extend(content)
    return structs.replace(message, reasoning_content=UNSET, content=tuple(parts))


_SAMPLING = ("temperature", "top_p", "presence_penalty", "frequency_penalty")
_ODDS = ("logprobs", "top_logprobs")
_REASONING_MODEL = re.compile(r"(?<![A-Za-z0-9])(?:o[134]|gpt-?5)(?![A-Za-z0-9])")
# gpt-5-chat does not reason, and from gpt-5.1 on it depends on the effort.
_ALWAYS_REASONING = Unwilling(
    re.compile(r"(?<![A-Za-z0-9])(?:o[134]|gpt-?5(?!\.\d|-chat))(?![A-Za-z0-9])"),
    (*_SAMPLING, "logit_bias", *_ODDS),
)
_OF_OPENAI = Accent(
    reasoning_limit="max_completion_tokens",
    unwilling=_ALWAYS_REASONING,
    mute=frozenset({Feature.REASONING}),
)
_OF_MISTRAL = Accent(
    asked_for_usage=False,
    token_limit="max_tokens",
    renamed={"seed": "random_seed"},
    # Its schema forbids whatever it does not name.
    refused=("user", "logit_bias", *_ODDS, "service_tier", "store", "verbosity"),
    refuses_names=True,
    thoughts=_think_in_parts,
)
_OLD_LIMIT = Accent(token_limit="max_tokens")

PLAIN = Accent()
ACCENTS: Mapping[str, Accent] = MappingProxyType(
    {
        "openai": _OF_OPENAI,
        "azure": replace(_OF_OPENAI, always_stream=True),
        "baseten": _OLD_LIMIT,
        "huggingface": _OLD_LIMIT,
        "nvidia_nim": _OLD_LIMIT,
        "perplexity": _OLD_LIMIT,
        "together_ai": _OLD_LIMIT,
        "openrouter": Accent(extra={"usage": Raw(b'{"include":true}')}),
        "cerebras": Accent(
            refused=("presence_penalty", "frequency_penalty", "logit_bias", "service_tier"),
            thoughts=_rename_thoughts,
        ),
        "deepseek": Accent(
            token_limit="max_tokens", unwilling=Unwilling(re.compile("reasoner"), _ODDS)
        ),
        "gemini": Accent(refused=("presence_penalty", "frequency_penalty", "seed")),
        "groq": Accent(
            refused=("n", "logit_bias", *_ODDS), refuses_names=True, thoughts=_rename_thoughts
        ),
        "codestral": _OF_MISTRAL,
        "mistral": _OF_MISTRAL,
        "xai": Accent(
            unwilling=Unwilling(
                re.compile(r"grok-(?:3-mini|4|code)(?!.*non-reasoning)"),
                ("presence_penalty", "frequency_penalty", "stop"),
            )
        ),
    }
)


def accent_of(provider: str) -> Accent:
    """Return how a provider's requests differ from OpenAI's."""
    return ACCENTS.get(provider, PLAIN)


def carried_by(provider: str) -> frozenset[Feature]:
    """Return what a provider of this family takes, as far as is known."""
    accent = accent_of(provider)
    refused = frozenset(accent.refused)
    return frozenset(
        one
        for one in Feature
        if one not in accent.mute and not _FIELDS.get(one, frozenset()) & refused
    )


def fit_messages(call: ChatCall, accent: Accent, losses: Losses) -> ChatCall:
    """Return the prompt with its messages as the provider takes them."""
    if accent.thoughts is None and not accent.refuses_names:
        return call
    fitted: list[Message] = []
    for index, message in enumerate(call.messages):
        told = message
        if accent.refuses_names and told.name is not UNSET:
            losses.drop(f"messages[{index}].name")
            told = structs.replace(told, name=UNSET)
        if accent.thoughts is not None and told.reasoning_content is not UNSET:
            told = accent.thoughts(told)
        fitted.append(told)
    return structs.replace(call, messages=tuple(fitted))


def fit_body(body: Body, accent: Accent, deployment: Deployment, losses: Losses) -> None:
    """Rename what has another name, and leave out what is refused."""
    for name, other in accent.renamed.items():
        if name in body:
            value = body.pop(name)
            body.setdefault(other, value)
    for name in accent.refused:
        _leave_out(body, name, losses, "")
    models = accent.unwilling
    if models is None or not deployment.drop_params:
        return
    if deployment.is_reasoning or models.names.search(deployment.model):
        for name in models.refused:
            _leave_out(body, name, losses, f"{deployment.model} refuses it")


def name_limit(body: Body, accent: Accent, deployment: Deployment) -> None:
    """Give the limit of tokens the one name that the model knows, where it knows only one."""
    name = accent.token_limit
    reasons = deployment.is_reasoning or _REASONING_MODEL.search(deployment.model)
    if accent.reasoning_limit and reasons:
        name = accent.reasoning_limit
    given = [other for other in LIMITS if other in body] if name else []
    if given and given != [name]:
        value = body[given[0]]  # the newer name supersedes the older
        for other in given:
            del body[other]
        body[name] = value


def _leave_out(body: Body, name: str, losses: Losses, why: str) -> None:
    if name in body and body.pop(name) != _DEFAULTS.get(name, UNSET) and name not in _HARMLESS:
        losses.drop(name, why)
