"""How the providers who speak OpenAI's protocol refuse: their statuses and their words.

What `Failing.kind` each stands for is the key. A provider without a word of its own for a kind
uses OpenAI's.
"""

from collections.abc import Mapping
from types import MappingProxyType

Fault = tuple[int, object]  # the status and the body; text is sent as it is


def _openai(status: int, message: str, kind: str, code: str | None = None) -> Fault:
    fault = {"message": message, "type": kind, "param": None, "code": code}
    return status, {"error": fault}


def _google(status: int, message: str, word: str) -> Fault:
    return status, [{"error": {"code": status, "message": message, "status": word}}]


def _flat(status: int, message: object, kind: str, code: object = None) -> Fault:
    return status, {"object": "error", "message": message, "type": kind, "code": code}


def _xai(status: int, code: str, error: str) -> Fault:
    return status, {"code": code, "error": error}


def _router(status: int, message: str, **metadata: object) -> Fault:
    return status, {"error": {"code": status, "message": message, "metadata": metadata}}


_INVALID = "invalid_request_error"
_TOO_LONG = (
    "This model's maximum context length is 8192 tokens. However, your messages resulted in 9001 "
    "tokens. Please reduce the length of the messages."
)
USUAL: Mapping[str, Fault] = MappingProxyType(
    {
        "credentials": _openai(
            401, "Incorrect API key provided: sk-c****ract.", _INVALID, "invalid_api_key"
        ),
        "forbidden": _openai(403, "You are not allowed to sample from this model", _INVALID),
        "model": _openai(404, "The model `x` does not exist", _INVALID, "model_not_found"),
        "rate": _openai(
            429, "Rate limit reached for x on requests per min", "requests", "rate_limit_exceeded"
        ),
        "quota": _openai(
            429,
            "You exceeded your current quota, please check your plan and billing details.",
            "insufficient_quota",
            "insufficient_quota",
        ),
        "context": _openai(400, _TOO_LONG, _INVALID, "context_length_exceeded"),
        "policy": _openai(
            400,
            "Invalid prompt: your prompt was flagged as potentially violating our usage policy.",
            _INVALID,
            "invalid_prompt",
        ),
        "invalid": _openai(400, "Invalid value for 'messages[0].role'", _INVALID, "invalid_value"),
        "overloaded": _openai(503, "The engine is currently overloaded", "server_error"),
        "internal": _openai(500, "The server had an error", "server_error"),
    }
)
_LLAMA_CPP: Mapping[str, Fault] = {
    "context": (
        400,
        {
            "error": {
                "code": 400,
                "message": "the request exceeds the available context size, try increasing it",
                "type": "exceed_context_size_error",
            }
        },
    )
}
_OWN: Mapping[str, Mapping[str, Fault]] = {
    "azure": {
        "credentials": (401, {"error": {"code": "401", "message": "Access denied due to invalid"}}),
        "model": (404, {"error": {"code": "DeploymentNotFound", "message": "does not exist"}}),
        "rate": (429, {"error": {"code": "429", "message": "exceeded token rate limit"}}),
        "policy": (
            400,
            {
                "error": {
                    "message": "The response was filtered due to the prompt triggering Azure "
                    "OpenAI's content management policy.",
                    "type": None,
                    "code": "content_filter",
                    "status": 400,
                    "innererror": {"code": "ResponsibleAIPolicyViolation"},
                }
            },
        ),
    },
    "huggingface": {
        "credentials": (401, {"error": "Invalid username or password."}),
        "model": (
            400,
            {"error": {"message": "The requested model 'x' does not exist", "type": _INVALID,
                       "code": "model_not_found"}},
        ),
        "quota": (402, {"error": "You have exceeded your monthly included credits for Inference"}),
        "context": (
            422,
            {
                "error": "Input validation error: `inputs` must have less than 1024 tokens. "
                "Given: 5000",
                "error_type": "validation",
            },
        ),
        "invalid": (
            422,
            {"error": "Input validation error: `n` must be positive", "error_type": "validation"},
        ),
        "overloaded": (429, {"error": "Model is overloaded", "error_type": "overloaded"}),
        "internal": (424, {"error": "Request failed during generation", "error_type": "generation"}),
    },
    "together_ai": {
        "model": _openai(404, "Unable to access model x.", _INVALID, "model_not_available"),
        "quota": _openai(402, "Credit limit exceeded", "credit_limit"),
        "context": _openai(
            422,
            "Input validation error: `inputs` tokens + `max_new_tokens` must be <= 4097. "
            "Given: 8000 `inputs` tokens and 100 `max_new_tokens`",
            _INVALID,
        ),
        "policy": _openai(422, "Input text may violate our content policy", _INVALID),
    },
    "openrouter": {
        "credentials": _router(401, "User not found."),
        "model": _router(400, "x/y is not a valid model ID"),
        "rate": _router(429, "Provider returned error", raw="temporarily rate-limited upstream"),
        "quota": _router(402, "Insufficient credits. Add more at https://openrouter.ai/credits"),
        "context": _router(400, "This endpoint's maximum context length is 8192 tokens."),
        "policy": _router(403, "Your input was flagged", reasons=["violence"], provider_name="X"),
        "overloaded": _router(503, "Provider returned error", raw="The model is overloaded"),
    },
    "cerebras": {
        "credentials": _flat(401, "Wrong API Key", _INVALID, "wrong_api_key"),
        "model": _flat(404, "Model x does not exist", "not_found_error", "model_not_found"),
        "rate": _flat(429, "Requests per minute limit exceeded", "too_many_requests_error"),
        "context": _flat(
            400,
            "Please reduce the length of the messages or completion. Current length is 42328 "
            "while limit is 40000",
            _INVALID,
            "context_length_exceeded",
        ),
    },
    "deepseek": {
        "credentials": _openai(401, "Authentication Fails", "authentication_error", _INVALID),
        "model": _openai(400, "Model Not Exist", _INVALID, _INVALID),
        "quota": _openai(402, "Insufficient Balance", "unknown_error", _INVALID),
        "context": _openai(400, _TOO_LONG, _INVALID, _INVALID),
        "policy": _openai(400, "Content Exists Risk", _INVALID, _INVALID),
        "overloaded": _openai(503, "Service is too busy.", "service_unavailable_error"),
    },
    "fireworks_ai": {
        "context": _openai(
            400,
            "The prompt is too long: 1000008, model maximum context length: 131071",
            _INVALID,
            _INVALID,
        ),
    },
    "gemini": {
        "credentials": _google(
            400, "API key not valid. Please pass a valid API key.", "INVALID_ARGUMENT"
        ),
        "forbidden": _google(403, "Permission denied: consumer suspended.", "PERMISSION_DENIED"),
        "model": _google(404, "models/x is not found for API version v1main", "NOT_FOUND"),
        "rate": _google(429, "Resource has been exhausted", "RESOURCE_EXHAUSTED"),
        "context": _google(
            400,
            "The input token count (1200293) exceeds the maximum number of tokens allowed "
            "(1048576).",
            "INVALID_ARGUMENT",
        ),
        "invalid": _google(400, "Invalid JSON payload received.", "INVALID_ARGUMENT"),
        "overloaded": _google(503, "The model is overloaded. Try again later.", "UNAVAILABLE"),
        "internal": _google(500, "An internal error has occurred.", "INTERNAL"),
    },
    "groq": {
        "rate": _openai(
            413,
            "Request too large for model `x` on tokens per minute (TPM): Limit 6000, Requested "
            "14810, please reduce your message size and try again.",
            "tokens",
            "rate_limit_exceeded",
        ),
        "context": _openai(
            400,
            "Please reduce the length of the messages or completion.",
            _INVALID,
            "context_length_exceeded",
        ),
        "overloaded": _openai(503, "x is currently over capacity.", "internal_server_error"),
    },
    "hosted_vllm": {
        "credentials": (401, {"error": "Unauthorized"}),
        "model": _flat(404, "The model `x` does not exist.", "NotFoundError", 404),
        "context": _flat(400, _TOO_LONG, "BadRequestError", 400),
        "invalid": _flat(400, "n must be at least 1", "BadRequestError", 400),
    },
    "llamafile": _LLAMA_CPP,
    "lm_studio": {
        "context": (
            400,
            {
                "error": "The number of tokens to keep from the initial prompt is greater than "
                "the context length."
            },
        )
    },
    "mistral": {
        "credentials": (401, {"message": "Unauthorized", "request_id": "r"}),
        "model": _flat(400, "Invalid model: x", "invalid_model", "1500"),
        "rate": (429, {"message": "Requests rate limit exceeded"}),
        "context": _flat(
            400,
            "Prompt contains 40000 tokens and 0 draft tokens, too large for model with 32768 "
            "maximum context length",
            _INVALID,
            "3051",
        ),
        "invalid": _flat(
            422,
            {"detail": [{"type": "extra_forbidden", "loc": ["body", "x"], "msg": "Extra inputs"}]},
            _INVALID,
        ),
    },
    "moonshot": {
        "credentials": _openai(401, "Invalid Authentication", "invalid_authentication_error"),
        "model": _openai(404, "Not found the model x", "resource_not_found_error"),
        "rate": _openai(429, "reached max request: 3", "rate_limit_reached_error"),
        "quota": _openai(429, "Your account is suspended", "exceeded_current_quota_error"),
        "context": _openai(
            400,
            "Invalid request: Your request exceeded model token limit: 262144 (requested: 263162)",
            _INVALID,
        ),
        "policy": _openai(
            400, "The request was rejected because it was considered high risk", "content_filter"
        ),
        "overloaded": _openai(429, "The engine is overloaded", "engine_overloaded_error"),
    },
    "nvidia_nim": {
        "credentials": (403, {"status": 403, "title": "Forbidden", "detail": "Authorization failed"}),
        "model": (404, {"status": 404, "title": "Not Found", "detail": "Function 'x': Not found"}),
        "invalid": (
            422,
            {"title": "Unprocessable Entity", "status": 422, "detail": "body -> n\n  Extra inputs"},
        ),
    },
    "perplexity": {
        "credentials": (401, "<html><head><title>401 Authorization Required</title></head></html>"),
        "model": (400, {"error": {"message": "Invalid model 'x'.", "type": "invalid_model",
                                  "code": 400}}),
        "quota": (401, {"error": {"message": "You exceeded your current quota",
                                  "type": "insufficient_quota", "code": 401}}),
        "invalid": (400, {"error": {"message": "Frequency penalty must satisfy p > 0.",
                                    "type": "invalid_parameter", "code": 400}}),
    },
    "sambanova": {"model": _openai(404, "Model not found", "model_not_found")},
    "xai": {
        "credentials": _xai(400, "invalid-argument", "Incorrect API key provided: sk***ct."),
        "forbidden": _xai(403, "permission-denied", "Access to the chat endpoint is denied."),
        "model": _xai(404, "Some requested entity was not found", "The model x does not exist."),
        "quota": _xai(403, "permission-denied", "Your newly created team doesn't have any credits."),
        "context": _xai(
            400,
            "invalid-argument",
            "This model's maximum prompt length is 131072 but the request contains 136973 tokens.",
        ),
        "policy": _xai(403, "permission-denied", "Content violates usage guidelines. "),
        "invalid": _xai(400, "invalid-argument", "Argument not supported on this model: stop"),
    },
}  # fmt: skip
# A failure that a provider has no words for: it says the same of another.
_UNSAID = frozenset({("gemini", "quota")})


def fault_of(provider: str, kind: str) -> Fault | None:
    """Return how a provider refuses, None if it never refuses for that."""
    if (provider, kind) in _UNSAID:
        return None
    return {**USUAL, **_OWN.get(provider, {})}[kind]
