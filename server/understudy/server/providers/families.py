"""Which providers there are, as data: where each is, whose variables hold its key, what it speaks.

Turning one of them and a deployment's parameters into an endpoint is `catalog`. A provider whose
interface is like one that we speak moves from `NOT_HERE` to a line of `SPOKEN`.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Literal

DialectName = Literal["openai", "simulated", "anthropic", "ollama", "ollama_chat", "petals"]


@dataclass(frozen=True, slots=True)
class Family:
    """One provider that we speak to.

    Without a `base` of its own, or `anywhere`, whatever host the operator names is the provider's,
    so its key goes there too; else the key from the environment stays with the base's host.
    """

    base: str = ""
    keys: tuple[str, ...] = ()  # environment variables for the key; the first that is set counts
    bases: tuple[str, ...] = ()  # likewise for the base URL
    dialect: DialectName = "openai"
    anywhere: bool = False
    keyless: bool = False  # its own servers can be asked without a key
    example: str = ""  # what a base may be, where there is none of its own


def _compatible(base: str, prefix: str, *keys: str) -> Family:
    """Return a provider whose variables are called after it."""
    return Family(base, (f"{prefix}_API_KEY", *keys), (f"{prefix}_API_BASE",))


def _beside(base: str, *keys: str) -> Family:
    """Return a provider that speaks OpenAI's language beside its own.

    LiteLLM speaks its own, so a variable for the base means another address than this one.
    """
    return Family(base, keys)


_COHERE = ("COHERE_API_KEY", "CO_API_KEY")


def _ollama(dialect: DialectName) -> Family:
    return Family(
        "http://localhost:11434",
        ("OLLAMA_API_KEY",),
        ("OLLAMA_API_BASE",),
        dialect=dialect,
        anywhere=True,
        keyless=True,
    )


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
            "https://router.huggingface.co/v1",
            ("HF_TOKEN", "HUGGINGFACE_API_KEY"),
            ("HF_API_BASE", "HUGGINGFACE_API_BASE"),
            anywhere=True,
        ),
        "anthropic": Family(
            "https://api.anthropic.com",
            ("ANTHROPIC_API_KEY", "ANTHROPIC_AUTH_TOKEN"),
            ("ANTHROPIC_API_BASE", "ANTHROPIC_BASE_URL"),
            dialect="anthropic",
        ),
        "ollama": _ollama("ollama"),
        "ollama_chat": _ollama("ollama_chat"),
        "petals": Family(
            dialect="petals", example="for example https://chat.petals.dev/api/v1/generate"
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
        "ai21": _compatible("https://api.ai21.com/studio/v1", "AI21"),
        "ai21_chat": _compatible("https://api.ai21.com/studio/v1", "AI21"),
        "aiml": _compatible("https://api.aimlapi.com/v1", "AIML"),
        "cerebras": _compatible("https://api.cerebras.ai/v1", "CEREBRAS"),
        "codestral": _compatible("https://codestral.mistral.ai/v1", "CODESTRAL"),
        "cohere": _beside("https://api.cohere.ai/compatibility/v1", *_COHERE),
        "cohere_chat": _beside("https://api.cohere.ai/compatibility/v1", *_COHERE),
        "dashscope": _compatible(
            "https://dashscope-intl.aliyuncs.com/compatible-mode/v1", "DASHSCOPE"
        ),
        "databricks": replace(
            _compatible("", "DATABRICKS"), example="for example https://HOST/serving-endpoints"
        ),
        "deepinfra": _compatible("https://api.deepinfra.com/v1/openai", "DEEPINFRA"),
        "deepseek": _compatible("https://api.deepseek.com/v1", "DEEPSEEK"),
        "featherless_ai": Family(
            "https://api.featherless.ai/v1",
            ("FEATHERLESS_AI_API_KEY", "FEATHERLESS_API_KEY"),
            ("FEATHERLESS_AI_API_BASE", "FEATHERLESS_API_BASE"),
        ),
        "fireworks_ai": _compatible(
            "https://api.fireworks.ai/inference/v1",
            "FIREWORKS",
            "FIREWORKS_AI_API_KEY",
            "FIREWORKSAI_API_KEY",
            "FIREWORKS_AI_TOKEN",
        ),
        "friendliai": Family(
            "https://api.friendli.ai/serverless/v1",
            ("FRIENDLIAI_API_KEY", "FRIENDLI_TOKEN"),
            ("FRIENDLI_API_BASE",),
        ),
        "gemini": _beside(
            "https://generativelanguage.googleapis.com/v1beta/openai",
            "GOOGLE_API_KEY",
            "GEMINI_API_KEY",
        ),
        "github": _compatible("https://models.github.ai/inference", "GITHUB"),
        "groq": _compatible("https://api.groq.com/openai/v1", "GROQ"),
        "hyperbolic": _compatible("https://api.hyperbolic.xyz/v1", "HYPERBOLIC"),
        "inception": _compatible("https://api.inceptionlabs.ai/v1", "INCEPTION"),
        "lambda_ai": _compatible("https://api.lambda.ai/v1", "LAMBDA"),
        "meta_llama": _compatible("https://api.llama.com/compat/v1", "LLAMA"),
        "minimax": _compatible("https://api.minimax.io/v1", "MINIMAX"),
        "mistral": _compatible("https://api.mistral.ai/v1", "MISTRAL"),
        "moonshot": _compatible("https://api.moonshot.ai/v1", "MOONSHOT"),
        "morph": _compatible("https://api.morphllm.com/v1", "MORPH"),
        "nebius": _compatible("https://api.tokenfactory.nebius.com/v1", "NEBIUS"),
        "novita": _compatible("https://api.novita.ai/v3/openai", "NOVITA"),
        "nscale": _compatible("https://inference.api.nscale.com/v1", "NSCALE"),
        "nvidia_nim": _compatible("https://integrate.api.nvidia.com/v1", "NVIDIA_NIM"),
        "ovhcloud": _compatible("https://oai.endpoints.kepler.ai.cloud.ovh.net/v1", "OVHCLOUD"),
        "perplexity": _compatible(
            "https://api.perplexity.ai", "PERPLEXITY", "PERPLEXITYAI_API_KEY"
        ),
        "sambanova": _compatible("https://api.sambanova.ai/v1", "SAMBANOVA"),
        "v0": _compatible("https://api.v0.dev/v1", "V0"),
        "vercel_ai_gateway": _compatible(
            "https://ai-gateway.vercel.sh/v1", "VERCEL_AI_GATEWAY", "VERCEL_OIDC_TOKEN"
        ),
        "volcengine": _compatible("https://ark.cn-beijing.volces.com/api/v3", "VOLCENGINE"),
        "wandb": _compatible("https://api.inference.wandb.ai/v1", "WANDB"),
        "xai": _compatible("https://api.x.ai/v1", "XAI"),
        "zai": _compatible("https://api.z.ai/api/paas/v4", "ZAI"),
    }
)


def _names(text: str) -> frozenset[str]:
    return frozenset(text.split())


# LiteLLM speaks to these, so a proxy of its can stand between.
NOT_HERE = _names(
    """
    aleph_alpha amazon_nova anthropic_text assemblyai auto_router aws_polly azure_ai azure_text
    bedrock bedrock_mantle bytez chatgpt clarifai cloudflare cometapi compactifai custom datarobot
    deepgram docker_model_runner elevenlabs empower fal_ai galadriel github_copilot gradient_ai
    heroku infinity jina_ai langgraph lemonade maritalk nlp_cloud oci oobabooga palm predibase
    publicai recraft replicate runwayml sagemaker sagemaker_chat sagemaker_nova snowflake
    stability text-completion-codestral text-completion-openai topaz triton vertex_ai
    vertex_ai_beta vllm voyage watsonx watsonx_text
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
