"""A key stays where it belongs: in the header of its own deployment, and in nothing people see."""

import pytest

from understudy.server.config import parse, refusals
from understudy.server.errors import ConfigError

from .reading import deployments, read

CANARY = "sk-canary-4f1d2c3b5a6e7f8091a2b3c4d5e6f708"

SLOTS = f"""
environment_variables: {{OTHER_KEY: {CANARY}}}
model_list:
  - model_name: a
    litellm_params: {{model: gpt-4, api_key: {CANARY}, extra_body: {{token: {CANARY}}}}}
  - model_name: b
    litellm_params: {{model: azure/b, api_base: "https://b", azure_ad_token: {CANARY},
                      client_secret: {CANARY}, my_api_key: {CANARY}, unknown: {CANARY}}}
  - model_name: c
    litellm_params: {{model: "huggingface/https://c?token={CANARY}", extra_headers: {{x-key: {CANARY}}}}}
  - model_name: d
    litellm_params: {{model: openai/d, api_base: "https://user:{CANARY}@d", organization: {CANARY}}}
  - model_name: e
    litellm_params: {{model: bedrock/e, aws_secret_access_key: {CANARY}, langfuse_secret: {CANARY},
                      silent_model: [{{model: a, params: {{token: {CANARY}}}}}]}}
  - model_name: f
    litellm_params: {{model: simulated/f, simulated: {{reply: {CANARY}}}, api_key: os.environ/KEY}}
litellm_settings: {{langfuse_secret_key: {CANARY}, callbacks: [os.environ/KEY]}}
router_settings: {{redis_password: {CANARY}, routing_strategy: os.environ/KEY}}
general_settings: {{master_key: {CANARY}, database_url: "postgresql://u:{CANARY}@h/d"}}
understudy:
  store: {{url: "postgresql://u:{CANARY}@h/d"}}
  records: {{url: "postgresql://u:{CANARY}@h/d"}}
  egress: {{proxy: "http://u:{CANARY}@h"}}
"""


def test_no_key_is_in_the_repr_or_the_report() -> None:
    config = read(SLOTS, KEY=CANARY, OPENAI_API_KEY=CANARY)

    assert CANARY not in repr(config)
    assert CANARY not in str(config.settings.store.url)
    assert CANARY not in "\n".join(refusals(config))
    for one in deployments(config):
        assert CANARY not in f"{one} {one.endpoint} {one.unusable}"


def test_each_key_is_in_its_own_deployments_headers_only() -> None:
    config = read(
        """
        model_list:
          - {model_name: g, litellm_params: {model: gpt-4, api_key: key-a}}
          - {model_name: g, litellm_params: {model: openai/x, api_base: "http://h", api_key: key-b}}
          - {model_name: g, litellm_params: {model: openai/x, api_base: "http://i"}}
        """,
        OPENAI_API_KEY="key-c",
    )

    keys = [
        [
            key
            for key in ("key-a", "key-b", "key-c")
            if one.endpoint and key in str(one.endpoint.headers)
        ]
        for one in deployments(config)
    ]
    assert keys == [["key-a"], ["key-b"], []]


@pytest.mark.parametrize(
    "line",
    [
        "general_settings: {master_key: '@'}\nunderstudy: {server: {api_keys: [{sha256: '@'}]}}",
        "understudy: {server: {api_keys: '@'}}",
        "understudy: {store: {url: ['@']}}",
        'understudy: {store: {url: "@\\n"}}',
        "understudy: {server: {port: '@'}}",
        "understudy: {records: {capture: '@'}}",
        "understudy: {server: {drain: {delay: os.environ/KEY}}}",
        "model_list: [{model_name: g, litellm_params: {model: gpt-4, api_key: '@ '}}]",
        "model_list: [{model_name: g, litellm_params: {model: gpt-4, weight: '@'}}]",
        "model_list: [{model_name: g, litellm_params: {model: gpt-4, weight: os.environ/KEY}}]",
        "model_list: [{model_name: g, litellm_params: {model: gpt-4, extra_headers: '@'}}]",
        'model_list: [{model_name: g, litellm_params: {model: gpt-4, api_key: k, extra_headers: {a: "@\\n"}}}]',
        "general_settings: '@'",
        "'@'",
        "a: '@",
        "a: *@",
        "a: !@ b",
    ],
)
def test_no_key_is_in_a_fault(line: str) -> None:
    with pytest.raises(ConfigError) as caught:
        parse(line.replace("@", CANARY), "config.yaml", {"KEY": CANARY})

    assert CANARY not in str(caught.value)
