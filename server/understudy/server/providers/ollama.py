"""The dialects of Ollama: `/api/chat` for `ollama_chat/`, `/api/generate` for `ollama/`. Pure.

The second has no conversation and no tools, which is why LiteLLM too advises the first. Which
words go into a body is told by `ollama_messages` and `ollama_wishes`; what comes back is read in
`ollama_reader`. Ollama counts tokens in every reply, so nothing asks it to.
"""

from abc import ABC, abstractmethod
from collections.abc import Mapping

import msgspec

from understudy.server.domain.chat import ChatCall
from understudy.server.domain.deployment import Deployment
from understudy.server.errors import Reason, RefusedError, RequestError
from understudy.server.ports import HttpRequest, Reader
from understudy.server.providers.failures import EncodedReader, FailureReader, is_encoded
from understudy.server.providers.features import Feature
from understudy.server.providers.leaving import Losses
from understudy.server.providers.merging import Asked, merge
from understudy.server.providers.ollama_messages import CHAT_HINT, write_messages, write_prompt
from understudy.server.providers.ollama_reader import OllamaReader
from understudy.server.providers.ollama_wishes import KNOWN, Body, write_tools, write_wishes

_ENCODER = msgspec.json.Encoder()

_BESIDE_BOTH = frozenset(
    {"format", "keep_alive", "logprobs", "shift", "think", "top_logprobs", "truncate"}
)
_BESIDE_CHAT = _BESIDE_BOTH | {"tools"}
_BESIDE_PROMPT = _BESIDE_BOTH | {"context", "raw", "suffix", "system", "template"}
_CARRIED_BY_BOTH = frozenset(
    {
        Feature.STREAM,
        Feature.SYSTEM,
        Feature.IMAGES,
        Feature.JSON_MODE,
        Feature.JSON_SCHEMA,
        Feature.LOGPROBS,
        Feature.SEED,
        Feature.STOP,
        Feature.PENALTIES,
        Feature.REASONING,
        Feature.EFFORT,
        Feature.USAGE,
        Feature.CACHED_TOKENS,
    }
)


class _OllamaDialect(ABC):
    """What both interfaces share: all but how a conversation is written."""

    carries: frozenset[Feature]

    @abstractmethod
    def _write(self, call: ChatCall, asked: Asked, losses: Losses) -> Body:
        """Return what stands between the model's name and `stream`."""

    def encode(self, call: ChatCall, deployment: Deployment) -> HttpRequest:
        """Write a prompt as a request for a deployment."""
        if deployment.endpoint is None:
            raise RefusedError(
                Reason.DEPLOYMENT_UNUSABLE,
                f"{deployment.id!r} cannot be asked: {deployment.unusable}",
            )
        losses = Losses(deployment)
        try:
            words = self._write(call, merge(call, deployment, KNOWN), losses)
            # Always written: what Ollama does unasked is stream.
            body = _ENCODER.encode({"model": deployment.model, **words, "stream": call.stream})
        except UnicodeEncodeError as error:
            raise RequestError(
                "the prompt holds a lone surrogate, which is no character"
            ) from error
        return HttpRequest(deployment.endpoint, body, call.stream, losses.warnings)

    def reader(self, stream: bool, status: int, headers: Mapping[str, str]) -> Reader:
        """Return what reads a reply."""
        if not 200 <= status < 300:
            return FailureReader(status, headers)
        if is_encoded(headers):
            return EncodedReader(status)
        return OllamaReader(stream, status, headers)


class OllamaChatDialect(_OllamaDialect):
    """Writes prompts for `/api/chat`."""

    carries = _CARRIED_BY_BOTH | {Feature.TOOLS, Feature.PARALLEL_TOOLS}

    def _write(self, call: ChatCall, asked: Asked, losses: Losses) -> Body:
        body: Body = {"messages": write_messages(asked.messages, losses)}
        if tools := write_tools(asked, losses):
            body["tools"] = tools
        return {**body, **write_wishes(call, asked, _BESIDE_CHAT, losses)}


class OllamaGenerateDialect(_OllamaDialect):
    """Writes prompts for `/api/generate`."""

    carries = _CARRIED_BY_BOTH

    def _write(self, call: ChatCall, asked: Asked, losses: Losses) -> Body:
        if asked.tools and asked.tool_choice != "none":
            losses.drop("tools", CHAT_HINT)
        body = write_prompt(asked.messages, losses)
        return {**body, **write_wishes(call, asked, _BESIDE_PROMPT, losses)}
