"""What a deployment has from elsewhere in the file, its silent models, and how it is reported."""

from understudy.server.domain.deployment import SilentModel

from .reading import deployment_report, deployments, read

USABLE = "model: openai/x, api_base: http://127.0.0.1:1/v1"


def test_silent_models_come_in_three_forms() -> None:
    def silent(text: str) -> tuple[SilentModel, ...]:
        config = read(
            f"""
            model_list:
              - {{model_name: a, litellm_params: {{model: simulated/a, silent_model: {text}}}}}
              - {{model_name: b, litellm_params: {{model: simulated/b}}}}
              - {{model_name: c, litellm_params: {{model: simulated/c}}}}
            router_settings: {{model_group_alias: {{d: c}}}}
            """
        )
        return deployments(config)[0].silent_models

    assert silent("b") == (SilentModel("b"),)
    assert silent("[b, d]") == (SilentModel("b"), SilentModel("d"))
    long = (
        "[{model: b, fraction: 0.25, timeout: 30s, system_prompt: Hi, params: {max_tokens: 9}}, c]"
    )
    assert silent(long) == (
        SilentModel("b", 0.25, 30.0, "Hi", {"max_tokens": 9}),
        SilentModel("c"),
    )


def test_defaults_come_from_the_router_then_from_the_library() -> None:
    config = read(
        """
        model_list:
          - {model_name: a, litellm_params: {model: simulated/a}}
          - {model_name: b, litellm_params: {model: simulated/b, timeout: 1, drop_params: false,
                                             max_retries: 4, max_parallel_requests: 2}}
        router_settings: {timeout: 60, stream_timeout: 5, default_max_parallel_requests: 9,
                          num_retries: 3, retry_after: 2, max_fallbacks: 1}
        litellm_settings: {request_timeout: 600, num_retries: 5, drop_params: true}
        """
    )

    first, second = deployments(config)
    assert (first.timeout, first.stream_timeout, first.max_parallel_requests) == (60.0, 5.0, 9)
    assert (first.drop_params, first.num_retries) == (True, None)
    assert (second.timeout, second.stream_timeout, second.max_parallel_requests) == (1.0, 5.0, 2)
    assert (second.drop_params, second.num_retries) == (False, 4)
    snapshot = config.snapshot
    assert (snapshot.num_retries, snapshot.retry_after, snapshot.max_fallbacks) == (3, 2.0, 1)


def test_without_a_word_there_is_one_retry_and_no_timeout_of_ours() -> None:
    config = read("model_list: [{model_name: a, litellm_params: {model: simulated/a}}]")

    assert (config.snapshot.num_retries, config.snapshot.max_fallbacks) == (1, 5)
    assert deployments(config)[0].timeout is None
    quick = read("litellm_settings: {num_retries: 0, request_timeout: 30}").snapshot
    assert quick.num_retries == 0


def test_a_deployment_is_reported_with_its_host_and_the_name_of_its_key() -> None:
    report = deployment_report("model: gpt-4, api_key: os.environ/MY", MY="sk-canary")

    assert (report.host, report.key, report.usable) == ("api.openai.com", "MY", True)
    literal = deployment_report("model: gpt-4, api_key: sk-canary")
    assert literal.key == "api_key"
    assert "canary" not in repr((report, literal))
