"""What of a chat call a provider's interface can carry, in words for people and tests."""

from enum import StrEnum


class Feature(StrEnum):
    """Something that a chat call may ask for or bring back."""

    STREAM = "streaming"
    SYSTEM = "system prompt"
    TOOLS = "tools"
    PARALLEL_TOOLS = "parallel tool calls"
    TOOL_CHOICE = "tool choice"
    IMAGES = "images"
    AUDIO = "audio"
    FILES = "files"
    JSON_MODE = "JSON mode"
    JSON_SCHEMA = "JSON schema"
    LOGPROBS = "logprobs"
    MANY = "n > 1"
    SEED = "seed"
    STOP = "stop sequences"
    PENALTIES = "penalties"
    LOGIT_BIAS = "logit bias"
    REASONING = "reasoning content"
    EFFORT = "reasoning effort"
    USAGE = "usage"
    CACHED_TOKENS = "cached tokens"
    REASONING_TOKENS = "reasoning tokens"
    REFUSALS = "refusals"
    USER = "user"
