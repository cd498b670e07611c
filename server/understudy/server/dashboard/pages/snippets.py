"""Calls to copy: how a program asks for an experiment, in the ways that people ask."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from understudy.server.dashboard.house import House
from understudy.server.domain.experiments import SLOTS, Experiment

_GREETING: Final = "Hello, how are you?"


@dataclass(frozen=True, slots=True)
class Snippet:
    """A call, and what it is written in."""

    name: str
    text: str


def first_call(house: House) -> Snippet:
    """Return the call by which a newcomer has an experiment made of what is in the code."""
    groups = list(house.names().groups)[:2] or ["gpt-4", "llama-2"]
    weights = dict(zip(groups, (0.8, 0.2) if len(groups) == 2 else (1.0,), strict=True))
    return Snippet("Python", _python(house, weights, "my-unique-id"))


def calls_of(experiment: Experiment, house: House) -> tuple[Snippet, ...]:
    """Return calls that ask for an experiment by its id."""
    shares: dict[str, float] = {}
    for one in experiment.variants:
        if one.weight:
            points = shares.get(one.model_group, 0) * SLOTS + one.weight
            shares[one.model_group] = points / SLOTS
    return (
        Snippet("Python", _python(house, shares, experiment.id)),
        Snippet("Go", _go(house, experiment.id)),
        Snippet("grpcurl", _grpcurl(house, experiment.id)),
        Snippet("buf curl", _buf_curl(house, experiment.id)),
    )


def _python(house: House, weights: Mapping[str, float], name: str) -> str:
    key = "" if house.access.is_open else "  # and UNDERSTUDY_API_KEY, a key with the role caller"
    models = json.dumps(dict(weights), ensure_ascii=False)
    return f"""\
# UNDERSTUDY_TARGET={house.address}{key}
from understudy import client

r = client.completion_with_split_tests(
    models={models},  # used to begin with; then this page decides
    messages=[{{"role": "user", "content": "{_GREETING}"}}],
    use_client=True,
    id={json.dumps(name)},
)
print(r.choices[0].message.content)
"""


def _go(house: House, name: str) -> str:
    key = (
        ""
        if house.access.is_open
        else '\tctx = metadata.AppendToOutgoingContext(ctx, "authorization", "Bearer "+key)\n'
    )
    secure = "credentials.NewTLS(nil)" if house.tls else "insecure.NewCredentials()"
    return f"""\
conn, err := grpc.NewClient({json.dumps(house.address)}, grpc.WithTransportCredentials({secure}))
if err != nil {{
\treturn err
}}
{key}r, err := understudyv1.NewCompletionServiceClient(conn).CreateCompletion(ctx, \
&understudyv1.CreateCompletionRequest{{
\tExperiment: {json.dumps(name)},
\tMessages:   []*understudyv1.Message{{{{Role: "user", Content: "{_GREETING}"}}}},
}})
"""


def _body(name: str) -> str:
    return json.dumps({"experiment": name, "messages": [{"role": "user", "content": _GREETING}]})


def _grpcurl(house: House, name: str) -> str:
    plain = "" if house.tls else " -plaintext"
    key = "" if house.access.is_open else ' -H "authorization: Bearer $UNDERSTUDY_API_KEY"'
    return f"""\
grpcurl{plain}{key} -d '{_body(name)}' \\
  {house.address} understudy.v1.CompletionService/CreateCompletion
"""


def _buf_curl(house: House, name: str) -> str:
    scheme, plain = ("https", "") if house.tls else ("http", " --http2-prior-knowledge")
    key = (
        ""
        if house.access.is_open
        else ' -H "authorization: Bearer $UNDERSTUDY_API_KEY" --reflect-header "*"'
    )
    return f"""\
buf curl --protocol grpc{plain}{key} -d '{_body(name)}' \\
  {scheme}://{house.address}/understudy.v1.CompletionService/CreateCompletion
"""
