"""`model_list` as LiteLLM reads it: parameters, weights, ids, and what each deployment holds."""

import pytest

from .reading import deployment, deployments, faults, read

USABLE = "model: openai/x, api_base: http://127.0.0.1:1/v1"


def test_what_concerns_us_and_what_is_sent_are_told_apart() -> None:
    one = deployment(
        f"{USABLE}, weight: 2, rpm: 9, timeout: 30, stream_timeout: 0.5, order: 1, num_retries: 0, "
        "max_parallel_requests: 5, drop_params: true, temperature: 0.2, max_tokens: 16, "
        "reasoning_effort: low, extra_body: {a: {b: 1}}, tags: [x], input_cost_per_token: 1, "
        "aws_secret_access_key: s, my_secret: s, metadata: {a: b}, stream: true, top_p: null"
    )

    assert one.defaults == {
        "temperature": 0.2,
        "max_tokens": 16,
        "reasoning_effort": "low",
        "extra_body": {"a": {"b": 1}},
    }
    assert (one.weight, one.rpm, one.timeout, one.stream_timeout) == (2.0, 9.0, 30.0, 0.5)
    assert (one.order, one.num_retries, one.max_parallel_requests) == (1, 0, 5)
    assert one.drop_params


def test_a_null_is_sent_only_where_it_says_something() -> None:
    one = deployment(f"{USABLE}, stream_options: null, user: null, seed: os.environ/LOST")

    assert one.defaults == {"stream_options": None}


def test_simulated_settings_arrive_as_they_are() -> None:
    one = deployment("model: simulated/m, simulated: {latency: 0.3, failure_status: [500, 503]}")

    assert one.defaults["simulated"] == {"latency": 0.3, "failure_status": [500, 503]}
    assert one.endpoint is not None
    assert one.endpoint.url == "simulated://m"


def test_a_simulated_setting_that_is_none_is_a_fault() -> None:
    (fault,) = faults(
        "model_list: [{model_name: g, litellm_params: "
        "{model: simulated/m, simulated: {failure_rate: 2}}}]"
    )

    assert "litellm_params.simulated: failure_rate: " in fault


def test_simulated_settings_are_refused_for_a_real_model() -> None:
    (fault,) = faults(
        f"model_list: [{{model_name: g, litellm_params: {{{USABLE}, simulated: {{}}}}}}]"
    )

    assert fault.endswith("litellm_params.simulated: only a model simulated/NAME takes it")


def test_the_environment_fills_in_and_numbers_may_be_text() -> None:
    one = deployment(
        "model: os.environ/MODEL, api_base: os.environ/BASE, weight: os.environ/W, timeout: '30', "
        "drop_params: os.environ/DROP",
        MODEL="openai/gpt-x",
        BASE="http://127.0.0.1:1",
        W="0.8",
        DROP="True",
    )

    assert (one.model, one.weight, one.timeout, one.drop_params) == ("gpt-x", 0.8, 30.0, True)


def test_a_variable_of_the_file_yields_to_one_that_is_set() -> None:
    text = """
        environment_variables: {OPENAI_API_KEY: from-the-file}
        model_list: [{model_name: g, litellm_params: {model: gpt-4}}]
        """

    for environ, key in (({}, "from-the-file"), ({"OPENAI_API_KEY": "set"}, "set")):
        (one,) = deployments(read(text, **environ))
        assert one.endpoint is not None
        assert ("authorization", f"Bearer {key}") in one.endpoint.headers


@pytest.mark.parametrize(
    ("params", "expected"),
    [
        ("weight: -1", "weight: must not be negative (is -1)"),
        ("weight: .nan", "weight: must be finite (is nan)"),
        ("weight: .inf", "weight: must be finite (is inf)"),
        ("weight: heavy", "weight: must be a number (is 'heavy')"),
        ("weight: true", "weight: must be a number (is true)"),
        ("weight: os.environ/W", "weight: must be a number (is what W holds)"),
        ("rpm: -5", "rpm: must not be negative (is -5)"),
        ("order: 1.5", "order: must be a whole number (is 1.5)"),
        ("timeout: soon", "timeout: must be a duration such as"),
        ("timeout: 0", "timeout: must be more than 0 (is 0)"),
        ("max_parallel_requests: 0", "max_parallel_requests: must be 1 or more (is 0)"),
        ("num_retries: -1", "num_retries: must not be negative (is -1)"),
        ("top_p: .nan", "top_p: must be finite (is nan)"),
        ("seed: 99999999999999999999", "seed: is larger than JSON's readers take"),
        ("api_key: 5", "api_key: must be text; put it in quotes"),
        ('api_key: "a\\nb"', "api_key: holds a line break, which no header may"),
        ("api_key: schlüssel", "api_key: holds a character that no header may"),
        ('extra_headers: {X-A: "a\\r\\nb: c"}', "extra_headers: holds a line break"),
        ("extra_headers: {Host: a}", "extra_headers: sets 'host', which is the transport's"),
        ("extra_headers: [a]", "extra_headers: must be a mapping (is a list)"),
        ("organization: 5", "organization: must be text"),
        ("silent_model: nobody", "silent_model: no model group is named 'nobody'"),
        ("silent_model: [g, g]", "silent_model[1]: names 'g' a second time"),
        ("silent_model: [{fraction: 1}]", "silent_model[0].model: is missing"),
        ("silent_model: [{model: g, fraction: 2}]", "silent_model[0].fraction: must be between 0"),
        ("silent_model: [{model: g, fracton: 1}]", "silent_model[0].fracton: there is no such key"),
        ("silent_model: 5", "silent_model: must be the name of a model group (is 5)"),
    ],
)
def test_a_malformed_parameter_is_told_with_line_path_and_value(params: str, expected: str) -> None:
    text = f"""\
        model_list:
          - model_name: other
            litellm_params: {{model: simulated/x}}
          - model_name: g
            litellm_params: {{model: openai/x, api_base: "http://127.0.0.1:1", {params}}}
        """

    (fault,) = faults(text, {"W": "sk-canary"})
    assert fault.startswith(f"config.yaml:5: model_list[1].litellm_params.{expected}")
    assert "canary" not in fault


def test_a_key_of_the_environment_with_a_line_break_is_told_by_its_name() -> None:
    (fault,) = faults(
        "model_list: [{model_name: g, litellm_params: {model: gpt-4}}]",
        {"OPENAI_API_KEY": "sk-canary\n"},
    )

    assert fault == (
        "config.yaml:1: model_list[0].litellm_params: "
        "OPENAI_API_KEY holds a line break, which no header may"
    )


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("model_list: gpt-4", "model_list: must be a list (is 'gpt-4')"),
        ("model_list: [5]", "model_list[0]: must be a mapping (is 5)"),
        ("model_list: [{litellm_params: {}}]", "model_list[0].model_name: is missing"),
        ("model_list: [null]", "model_list[0].model_name: is missing"),
        ("model_list: [{model_name: 5}]", "model_list[0].model_name: must be text"),
        (
            "model_list: [{model_name: g, litellm_params: x}]",
            "model_list[0].litellm_params: must be",
        ),
        ("- model_list", "must be a mapping (is a list)"),
        ("router_settings: x", "router_settings: must be a mapping (is 'x')"),
    ],
)
def test_a_malformed_list_is_refused(text: str, expected: str) -> None:
    assert faults(text)[0].startswith(f"config.yaml:1: {expected}")


@pytest.mark.parametrize(
    ("weights", "shares"),
    [
        (["weight: 0.8", "weight: 0.2"], [0.8, 0.2]),
        (["weight: 1", "weight: 99", "rpm: 5"], [0.01, 0.99, 0.0]),
        (["rpm: 900", "rpm: 100"], [0.9, 0.1]),
        (["tpm: '900'", "tpm: 100"], [0.9, 0.1]),
        (["seed: 1", "seed: 2"], [0.5, 0.5]),
        (["weight: 0", "weight: 0"], [0.0, 0.0]),
        (["weight: 0", "rpm: 5"], [0.0, 1.0]),
    ],
)
def test_shares_follow_weight_then_rpm_then_tpm(weights: list[str], shares: list[float]) -> None:
    entries = ", ".join(
        f"{{model_name: g, litellm_params: {{model: simulated/m, {one}}}}}" for one in weights
    )
    report = read(f"model_list: [{entries}]").report

    assert [one.share for one in report.deployments] == pytest.approx(shares)
    assert any("every weight is 0" in note for note in report.notes) == (sum(shares) == 0)


def test_old_files_write_limits_beside_the_parameters() -> None:
    config = read(
        """
        model_list:
          - {model_name: g, litellm_params: {model: simulated/a}, rpm: 300, tpm: 1}
          - {model_name: g, litellm_params: {model: simulated/b, rpm: 100}, rpm: 7}
        """
    )

    assert [one.share for one in config.report.deployments] == [0.75, 0.25]


def test_a_blocked_deployment_gets_nothing() -> None:
    config = read(
        """
        model_list:
          - {model_name: g, litellm_params: {model: simulated/a}, model_info: {blocked: true}}
          - {model_name: g, litellm_params: {model: simulated/b}, model_info: {blocked: false}}
        """
    )

    assert [one.share for one in config.report.deployments] == [0.0, 1.0]


def test_lower_orders_come_first_each_with_shares_of_its_own() -> None:
    config = read(
        """
        model_list:
          - {model_name: g, litellm_params: {model: simulated/c}}
          - {model_name: g, litellm_params: {model: simulated/b, order: 2}}
          - {model_name: g, litellm_params: {model: simulated/a, order: 1}}
        """
    )

    report = [(one.model, one.order, one.share) for one in config.report.deployments]
    assert report == [("a", 1, 1.0), ("b", 2, 1.0), ("c", None, 1.0)]


def test_ids_are_the_operators_or_stay_the_same() -> None:
    text = """
        model_list:
          - {model_name: g, litellm_params: {model: gpt-4, api_base: os.environ/B}}
          - {model_name: g, litellm_params: {model: gpt-4, api_base: os.environ/B}}
          - {model_name: g, litellm_params: {model: gpt-4}, model_info: {id: mine}}
          - {model_name: g, litellm_params: {model: gpt-4}, model_info: {id: 7}}
        """
    first = [one.id for one in deployments(read(text))]
    second = [one.id for one in deployments(read(text, B="http://h", OPENAI_API_KEY="k"))]

    assert first == second
    assert first[2:] == ["mine", "7"]
    assert len(set(first)) == 4


def test_an_id_taken_twice_is_a_fault() -> None:
    item = "{model_name: g, litellm_params: {model: simulated/m}, model_info: {id: a}}"
    (fault,) = faults(f"model_list: [{item}, {item}]")

    assert fault.endswith("model_list[1].model_info.id: 'a' is taken by model_list[0].model_info")
