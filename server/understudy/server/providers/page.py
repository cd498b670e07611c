"""Writes the page for users: which providers there are, where, with which keys, and what they take.

All of it comes from `families` and the dialects, so that it cannot differ from what is done.
"""

from collections.abc import Iterable, Iterator

from understudy.server.providers import dialect
from understudy.server.providers.families import NOT_HERE, SPOKEN, Family
from understudy.server.providers.features import Feature
from understudy.server.providers.openai_accents import carried_by

_INTERFACES = {
    "anthropic": "Anthropic",
    "ollama": "Ollama generate",
    "ollama_chat": "Ollama chat",
    "openai": "OpenAI",
    "petals": "Petals",
}
_HEAD = """\
# Providers

<!-- Written by `understudy providers --format md`; a test holds it to the code. -->

A deployment's `model` says whose it is: `PROVIDER/NAME`.
The names, and the variables that are read where a deployment says nothing, are LiteLLM's.
`api_key` and `api_base` of a deployment count before any variable.
A key from the environment goes to its provider's own address, or to where a variable says, and never to a host that a deployment merely names; write `api_key: os.environ/NAME` to send it there.

## Where they are

Of several variables, the first that is set counts.

"""
_FEATURES = """\

## What they take

What a provider's interface cannot carry is an error, before anything is sent; with `drop_params: true` it is left out, and the answer's `warnings` say so.
What a *model* cannot do is the provider's to say, and its refusal is passed on.
Where there is no streaming, a streamed call is answered in one piece.
"""
_NOTES = """\

## Azure

`azure/DEPLOYMENT` with `api_base: https://RESOURCE.openai.azure.com`; `api_version: v1` is for Azure's newer route.
What the file says counts before the environment, and then the first of these that is there:

- a key: `api_key`, `AZURE_OPENAI_API_KEY`, `AZURE_API_KEY`;
- a pasted token: `azure_ad_token`, `AZURE_AD_TOKEN`.
  It is not renewed; `understudy check` and each start say when it expires.
- a login: `tenant_id`, `client_id` and `client_secret`, or `AZURE_TENANT_ID`, `AZURE_CLIENT_ID` and `AZURE_CLIENT_SECRET`.
  Its tokens are renewed in the background.
  `azure_scope` or `AZURE_SCOPE`, and `AZURE_AUTHORITY_HOST` for other clouds, are as in Microsoft's own libraries.

`azure/o_series/DEPLOYMENT` and `azure/gpt5_series/DEPLOYMENT` say that a deployment, whose name does not tell, is of a reasoning model.

## Hugging Face and Baseten

- `huggingface/https://HOST`, or any `huggingface/NAME` with `api_base`, is an endpoint of your own; a key is optional there.
- `huggingface/ORGANIZATION/MODEL` is asked of Hugging Face's router, and `huggingface/PROVIDER/ORGANIZATION/MODEL` of one inference provider behind it.
- `baseten/ID`, the ID being eight letters or digits, is a dedicated deployment; any other name is one of Baseten's model APIs.

## Servers of your own

`openai/NAME` with `api_base`, or `hosted_vllm/`, `lm_studio/`, `llamafile/`, `xinference/`, `openai_like/` and `custom_openai/`, fit any server that speaks OpenAI's language.
`ollama_chat/` is the better of Ollama's two: it alone carries tools.

## Certificates and proxies

`understudy.egress` sets a proxy and a CA file for all; the proxies and certificates of the environment are ignored.
`ssl_verify` of a deployment, or of `litellm_settings` for all that say nothing, is `true`, or the path of a CA file that counts besides the usual ones, or `false`: then certificates are not verified, and each start says so.
A login is verified all the same.
"""
_BEHIND = """\

## Bedrock, Vertex and the rest

Some providers are not spoken here, for they want signed requests or an interface of their own.
Keep them behind a LiteLLM proxy; weights, experiments, mirroring and records are the same.
Its own configuration names the model and holds the credentials:

```yaml
# LiteLLM's file: litellm --config proxy.yaml --port 4000
model_list:
  - model_name: claude-bedrock
    litellm_params:
      model: bedrock/anthropic.claude-3-5-sonnet-20240620-v1:0
      aws_region_name: us-east-1
  - model_name: gemini-vertex
    litellm_params:
      model: vertex_ai/gemini-1.5-pro
      vertex_project: my-project
      vertex_location: us-central1
general_settings: {master_key: os.environ/LITELLM_PROXY_API_KEY}
```

```yaml
# Understudy's file
model_list:
  - model_name: assistant
    litellm_params:
      model: litellm_proxy/claude-bedrock
      api_base: http://localhost:4000
      api_key: os.environ/LITELLM_PROXY_API_KEY
      weight: 0.9
  - model_name: assistant
    litellm_params:
      model: litellm_proxy/gemini-vertex
      api_base: http://localhost:4000
      api_key: os.environ/LITELLM_PROXY_API_KEY
      weight: 0.1
```

Not spoken here:
"""


def providers() -> list[tuple[str, Family]]:
    """Return those that are reached by network, by name."""
    return sorted((name, one) for name, one in SPOKEN.items() if one.dialect != "simulated")


def features_of(provider: str) -> frozenset[Feature]:
    """Return what of a chat call a provider takes."""
    carries: frozenset[Feature] | None = getattr(dialect(provider), "carries", None)
    return carried_by(provider) if carries is None else carries


def interface_of(family: Family) -> str:
    """Return whose language a provider speaks."""
    return _INTERFACES[family.dialect]


def render_page() -> str:
    """Return the page, in Markdown."""
    return "".join([_HEAD, *_places(), _FEATURES, *_features(), _NOTES, _BEHIND, *_others()])


def _places() -> Iterator[str]:
    yield _row("provider", "interface", "address", "variables for the key", "for the address")
    yield _row(*["---"] * 5)
    for name, family in providers():
        yield _row(
            f"`{name}/`",
            interface_of(family),
            f"`{family.base}`" if family.base else "`api_base`",
            _codes(family.keys) + (" (optional)" if family.keyless and family.keys else ""),
            _codes(family.bases),
        )


def _features() -> Iterator[str]:
    groups: dict[frozenset[Feature], list[str]] = {}
    for name, _ in providers():
        groups.setdefault(features_of(name), []).append(name)
    columns = sorted(groups, key=lambda one: (-len(groups[one]), groups[one]))
    most, *others = columns
    yield f"\n*The rest* are {_codes(sorted(groups[most]))}.\n\n"
    heads = [_codes(groups[one], "<br>") for one in others]
    yield _row("", "the rest", *heads)
    yield _row(*["---"] * (2 + len(others)))
    for feature in Feature:
        yield _row(str(feature), *("yes" if feature in one else "no" for one in (most, *others)))


def _others() -> Iterator[str]:
    yield f"{_codes(sorted(NOT_HERE))}.\n"


def _row(*cells: str) -> str:
    return f"| {' | '.join(cells)} |\n"


def _codes(names: Iterable[str], between: str = ", ") -> str:
    return between.join(f"`{name}`" for name in names)
