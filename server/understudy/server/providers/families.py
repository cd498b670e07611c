"""Which providers there are, as data: where each is, whose variables hold its key, what it speaks.

Turning one of them and a deployment's parameters into an endpoint is `catalog`. A provider whose
dialect is built later moves from `NOT_YET` to a line of `SPOKEN`.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Literal

DialectName = Literal["openai", "simulated", "anthropic", "ollama", "ollama_chat", "petals"]


@dataclass(frozen=True, slots=True)
class Family:
    """One provider that we speak to.

    Without a `base` of its own, whatever host the operator names is the provider's, so its key
    goes there too; with one, the key from the environment stays with that host.
    """

    base: str = ""
    keys: tuple[str, ...] = ()  # environment variables for the key; the first that is set counts
    bases: tuple[str, ...] = ()  # likewise for the base URL
    dialect: DialectName = "openai"


def _compatible(base: str, prefix: str, *keys: str) -> Family:
    """Return a provider whose variables are called after it."""
    return Family(base, (f"{prefix}_API_KEY", *keys), (f"{prefix}_API_BASE",))


SPOKEN: Mapping[str, Family] = MappingProxyType(
    {
        "simulated": Family(dialect="simulated"),
        "openai": Family(
            "https://api.openai.com/v1",
            ("OPENAI_API_KEY",),
            ("OPENAI_BASE_URL", "OPENAI_API_BASE"),
        ),
        "azure": Family("", ("AZURE_OPENAI_API_KEY", "AZURE_API_KEY"), ("AZURE_API_BASE",)),
        "huggingface": Family(
            "", ("HF_TOKEN", "HUGGINGFACE_API_KEY"), ("HF_API_BASE", "HUGGINGFACE_API_BASE")
        ),
        "together_ai": Family(
            "https://api.together.ai/v1",
            ("TOGETHER_API_KEY", "TOGETHER_AI_API_KEY", "TOGETHERAI_API_KEY", "TOGETHER_AI_TOKEN"),
            ("TOGETHER_AI_API_BASE",),
        ),
        "baseten": Family("https://inference.baseten.co/v1", ("BASETEN_API_KEY",)),
        "openrouter": Family(
            "https://openrouter.ai/api/v1",
            ("OPENROUTER_API_KEY", "OR_API_KEY"),
            ("OPENROUTER_API_BASE",),
        ),
        "litellm_proxy": _compatible("", "LITELLM_PROXY"),
        # Any server that speaks OpenAI's protocol, under the names that LiteLLM's users know.
        "custom_openai": Family(),
        "openai_like": _compatible("", "OPENAI_LIKE"),
        "hosted_vllm": _compatible("", "HOSTED_VLLM"),
        "lm_studio": _compatible("", "LM_STUDIO"),
        "llamafile": _compatible("", "LLAMAFILE"),
        "xinference": _compatible("", "XINFERENCE"),
        # Providers whose own interface is OpenAI's.
        "cerebras": _compatible("https://api.cerebras.ai/v1", "CEREBRAS"),
        "deepinfra": _compatible("https://api.deepinfra.com/v1/openai", "DEEPINFRA"),
        "deepseek": _compatible("https://api.deepseek.com/v1", "DEEPSEEK"),
        "groq": _compatible("https://api.groq.com/openai/v1", "GROQ"),
        "mistral": _compatible("https://api.mistral.ai/v1", "MISTRAL"),
        "moonshot": _compatible("https://api.moonshot.ai/v1", "MOONSHOT"),
        "nvidia_nim": _compatible("https://integrate.api.nvidia.com/v1", "NVIDIA_NIM"),
        "perplexity": _compatible(
            "https://api.perplexity.ai", "PERPLEXITY", "PERPLEXITYAI_API_KEY"
        ),
        "sambanova": _compatible("https://api.sambanova.ai/v1", "SAMBANOVA"),
        "xai": _compatible("https://api.x.ai/v1", "XAI"),
    }
)


def _names(text: str) -> frozenset[str]:
    return frozenset(text.split())


NOT_YET = _names("anthropic ollama ollama_chat petals")

# LiteLLM speaks to these, so a proxy of its can stand between.
NOT_HERE = _names(
    """
    ai21 ai21_chat aiml aleph_alpha amazon_nova anthropic_text assemblyai auto_router aws_polly
    azure_ai azure_text bedrock bedrock_mantle bytez chatgpt clarifai cloudflare codestral cohere
    cohere_chat cometapi compactifai custom dashscope databricks datarobot deepgram
    docker_model_runner elevenlabs empower fal_ai featherless_ai fireworks_ai friendliai galadriel
    gemini github github_copilot gradient_ai heroku hyperbolic infinity jina_ai lambda_ai langgraph
    lemonade maritalk meta_llama minimax morph nebius nlp_cloud novita nscale oci oobabooga ovhcloud
    palm predibase publicai recraft replicate runwayml sagemaker sagemaker_chat sagemaker_nova
    snowflake stability text-completion-codestral text-completion-openai topaz triton v0
    vercel_ai_gateway vertex_ai vertex_ai_beta vllm volcengine voyage wandb watsonx watsonx_text zai
    """
)

# Bare names that say whose they are. The first pattern that matches counts.
BARE_NAMES: tuple[tuple[str, str], ...] = (
    (r"(ft:)?(gpt-|chatgpt-|o\d)", "openai"),
    (r"(text-embedding-|text-moderation-|omni-moderation|dall-e-|whisper-|tts-)", "openai"),
    (r"claude-", "anthropic"),
    (r"gemini-", "vertex_ai"),
    (r"command-", "cohere_chat"),
)

# OpenAI's models that do not chat.
NOT_CHAT = (
    r"text-embedding-|text-moderation-|omni-moderation|dall-e-|gpt-image-|whisper-|tts-"
    r"|.*-(tts|transcribe|realtime)\b|gpt-3\.5-turbo-instruct|(davinci|babbage)-002"
)
