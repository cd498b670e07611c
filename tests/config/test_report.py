"""What an operator is told of a file: each key's standing, and what stops the service."""

import pytest

from understudy.server.config import Config, Standing, refusals

from .reading import FILES, read

HONOURED, IGNORED, MISSED = Standing.HONOURED, Standing.IGNORED, Standing.MISSED


def standings(config: Config) -> dict[str, Standing]:
    return {key.name: key.standing for key in config.report.keys}


@pytest.mark.parametrize(
    ("text", "name", "standing"),
    [
        ("environment_variables: {A: b}", "environment_variables", HONOURED),
        ("guardrails: [{guardrail_name: a}]", "guardrails", MISSED),
        ("guardrails: []", "guardrails", IGNORED),
        ("mcp_servers: {}", "mcp_servers", IGNORED),
        ("our_section: 1", "our_section", IGNORED),
        ("our_audit: 1", "our_audit", MISSED),
        ("litellm_settings: {drop_params: true}", "litellm_settings.drop_params", HONOURED),
        ("litellm_settings: {cache: true}", "litellm_settings.cache", MISSED),
        ("litellm_settings: {cache: false}", "litellm_settings.cache", IGNORED),
        ("litellm_settings: {max_budget: 0}", "litellm_settings.max_budget", MISSED),
        ("litellm_settings: {set_verbose: true}", "litellm_settings.set_verbose", IGNORED),
        ("litellm_settings: {callbacks: otel}", "litellm_settings.callbacks.otel", HONOURED),
        (
            "litellm_settings: {callbacks: prometheus}",
            "litellm_settings.callbacks.prometheus",
            HONOURED,
        ),
        (
            "litellm_settings: {callbacks: braintrust}",
            "litellm_settings.callbacks.braintrust",
            MISSED,
        ),
        (
            "litellm_settings: {success_callback: [langfuse]}",
            "litellm_settings.success_callback.langfuse",
            MISSED,
        ),
        (
            "litellm_settings: {failure_callback: [my.own.logger]}",
            "litellm_settings.failure_callback.my.own.logger",
            MISSED,
        ),
        (
            "litellm_settings: {turn_off_message_logging: true}",
            "litellm_settings.turn_off_message_logging",
            HONOURED,
        ),
        ("router_settings: {num_retries: 2}", "router_settings.num_retries", HONOURED),
        (
            "router_settings: {routing_strategy: simple-shuffle}",
            "router_settings.routing_strategy.simple-shuffle",
            HONOURED,
        ),
        (
            "router_settings: {routing_strategy: least-busy}",
            "router_settings.routing_strategy.least-busy",
            IGNORED,
        ),
        (
            "router_settings: {routing_strategy: usage-based-routing-v2}",
            "router_settings.routing_strategy.usage-based-routing-v2",
            MISSED,
        ),
        ("router_settings: {allowed_fails: 3}", "router_settings.allowed_fails", HONOURED),
        ("router_settings: {cooldown_time: 30}", "router_settings.cooldown_time", HONOURED),
        (
            "router_settings: {optional_pre_call_checks: [router_budget_limiting]}",
            "router_settings.optional_pre_call_checks.router_budget_limiting",
            MISSED,
        ),
        (
            "router_settings: {enable_tag_filtering: true}",
            "router_settings.enable_tag_filtering",
            MISSED,
        ),
        (
            "router_settings: {enable_tag_filtering: false}",
            "router_settings.enable_tag_filtering",
            IGNORED,
        ),
        ("general_settings: {master_key: k}", "general_settings.master_key", HONOURED),
        ("general_settings: {database_url: p}", "general_settings.database_url", MISSED),
        (
            "general_settings: {store_model_in_db: true}",
            "general_settings.store_model_in_db",
            MISSED,
        ),
        ("general_settings: {custom_auth: a.b}", "general_settings.custom_auth", MISSED),
        (
            "general_settings: {max_parallel_requests: 9}",
            "general_settings.max_parallel_requests",
            MISSED,
        ),
        (
            "general_settings: {health_check_interval: 9}",
            "general_settings.health_check_interval",
            IGNORED,
        ),
        ("understudy: {server: {port: 1}}", "understudy.server.port", HONOURED),
        ("understudy: {server: {workers: 4}}", "understudy.server.workers", HONOURED),
        ("understudy: {mirror: {threads: 4}}", "understudy.mirror.threads", HONOURED),
        ("understudy: {records: {capture: content}}", "understudy.records.capture", HONOURED),
    ],
)
def test_each_key_has_its_standing(text: str, name: str, standing: Standing) -> None:
    assert standings(read(text)) == {name: standing}


@pytest.mark.parametrize(
    ("item", "name", "standing"),
    [
        (
            "litellm_params: {silent_model: g, model: simulated/m}",
            "litellm_params.silent_model",
            HONOURED,
        ),
        ("litellm_params: {temperature: 1}", "litellm_params.temperature", HONOURED),
        ("litellm_params: {anything: 1}", "litellm_params.anything", HONOURED),
        ("litellm_params: {max_budget: 1}", "litellm_params.max_budget", MISSED),
        ("litellm_params: {my_password: x}", "litellm_params.my_password", IGNORED),
        ("litellm_params: {tags: [a]}", "litellm_params.tags", IGNORED),
        ("model_info: {access_groups: [a]}", "model_info.access_groups", MISSED),
        ("model_info: {blocked: true}", "model_info.blocked", HONOURED),
        ("model_info: {base_model: a}", "model_info.base_model", HONOURED),
        ("rpm: 5", "model_list.rpm", HONOURED),
        ("weight: 5", "model_list.weight", IGNORED),
    ],
)
def test_each_key_of_a_deployment_has_its_standing(
    item: str, name: str, standing: Standing
) -> None:
    config = read(f"model_list: [{{model_name: g, {item}}}]")

    assert standings(config)[name] is standing


def test_a_key_is_named_once_with_all_its_places_and_the_worst_come_first() -> None:
    config = read((FILES / "production.yaml").read_text(), LITELLM_MASTER_KEY="k")
    keys = config.report.keys

    assert len({(key.name, key.standing) for key in keys}) == len(keys)
    ranks = [[MISSED, IGNORED, HONOURED].index(key.standing) for key in keys]
    assert ranks == sorted(ranks)
    (weights,) = (key for key in keys if key.name == "litellm_params.rpm")
    assert weights.places == ("config.yaml:12", "config.yaml:22")


def test_what_is_missed_stops_the_service_until_it_is_accepted() -> None:
    text = "guardrails: [a]\nlitellm_settings: {callbacks: [braintrust, x]}\nunderstudy: {accept_ignored: %s}"

    before = refusals(read(text % "[guardrails]"))
    assert [line.split(" ")[:2] for line in before] == [
        ["config.yaml:2:", "litellm_settings.callbacks.braintrust"],
        ["config.yaml:2:", "litellm_settings.callbacks.x"],
    ]
    accepted = "[guardrails, litellm_settings.callbacks.braintrust, litellm_settings.callbacks.x]"
    config = read(text % accepted)
    assert refusals(config) == []
    assert [key.accepted for key in config.report.keys[:3]] == [True, True, True]


def test_accepting_what_is_not_there_is_mentioned() -> None:
    notes = read("understudy: {accept_ignored: [gaurdrails]}").report.notes

    assert "accept_ignored: nothing in the file is called 'gaurdrails'" in notes


UNUSABLE = """
model_list:
  - {model_name: g, litellm_params: {model: simulated/a, weight: 0.2}}
  - {model_name: g, litellm_params: {model: bedrock/b, weight: %s}}
  - {model_name: alone, litellm_params: {model: bedrock/c}}
"""


def test_an_unusable_deployment_with_a_share_beside_usable_ones_stops_the_service() -> None:
    config = read(UNUSABLE % "0.8")

    (refusal,) = refusals(config)
    assert refusal.startswith("model group 'g': deployment ")
    assert "(bedrock/b) has 80% of the calls and cannot be asked: provider 'bedrock'" in refusal
    assert refusals(config, allow_unusable=True) == []


def test_without_a_share_it_stops_nothing() -> None:
    assert refusals(read(UNUSABLE % "0")) == []


def test_hosts_are_those_that_will_be_contacted() -> None:
    config = read(
        """
        model_list:
          - {model_name: a, litellm_params: {model: gpt-4, api_key: k}}
          - {model_name: b, litellm_params: {model: openai/x, api_base: "http://127.0.0.1:81/v1"}}
          - {model_name: b, litellm_params: {model: openai/y, api_base: "http://127.0.0.1:81/v1"}}
          - {model_name: c, litellm_params: {model: simulated/c}}
          - {model_name: d, litellm_params: {model: together_ai/d}}
        """
    )

    assert config.report.hosts == ("127.0.0.1:81", "api.openai.com")


def test_proxies_of_the_environment_are_ignored_and_it_is_said() -> None:
    (note, *_) = read("", https_proxy="http://p").report.notes
    assert note == "HTTPS_PROXY set and ignored: providers are reached directly"

    text = "understudy: {egress: {proxy: http://mine}}"
    (note, *_) = read(text, HTTP_PROXY="http://p").report.notes
    assert note.endswith("reached through understudy.egress.proxy")


def test_a_variable_that_is_meant_and_not_set_is_mentioned() -> None:
    (note, *_) = read(
        "model_list: [{model_name: a, litellm_params: {model: gpt-4, weight: os.environ/W}}]"
    ).report.notes

    assert note == "config.yaml:1: model_list[0].litellm_params.weight: the variable W is not set"
