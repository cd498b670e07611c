"""What becomes of every key of a file, as data: a new capability edits a line of it.

How a name finds its line is `standings`.
"""

from collections.abc import Mapping
from enum import StrEnum


class Standing(StrEnum):
    """What becomes of a key."""

    HONOURED = "honoured"
    IGNORED = "ignored without effect"
    MISSED = "ignored though it protected or recorded something"


# A standing, why, and the keys that have it; `*` matches anything.
Row = tuple[Standing, str, str]

_HONOURED = Standing.HONOURED
_IGNORED = Standing.IGNORED
_MISSED = Standing.MISSED

_CHAT_ONLY = "only chat completions are served"
_CREDENTIALS = "credentials are read from the file and the environment only"
_WEIGHT = "a weight here, not a limit"
_NOT_BUILT = "not built in this version"
_NO_BUDGETS = "budgets are not built in this version"
_NO_CACHE = "the cache is not built in this version"
_NO_COUNTERPART = "LiteLLM's own, without a counterpart"
_NO_GUARDRAILS = "guardrails are not built in this version"
_NO_LIMITS = "limits are not built in this version"
_NO_PERMISSIONS = "who may use which model is not built in this version"
_NO_TAGS = "tags are not built in this version"
_NOT_SPOKEN = "of a provider that is not spoken"

_NO_SUCH_PRICE = "not a price of chats"

_FALLBACKS = """
    fallbacks default_fallbacks context_window_fallbacks content_policy_fallbacks max_fallbacks
"""

_PRICES = """
    usd_per_hour cost_per_second input_cost_per_second output_cost_per_second
    input_cost_per_token output_cost_per_token *put_cost_per_token_flex *put_cost_per_token_priority
    *put_cost_per_token_above_*k_tokens* cache_*_input_token_cost cache_*_input_token_cost_flex
    cache_*_input_token_cost_priority cache_*_input_token_cost_above_*k_tokens*
    *put_cost_per_audio_token output_cost_per_reasoning_token
"""

_METRICS = "metrics are served at understudy.metrics"

_CALLBACKS = """
    callbacks.langfuse callbacks.langfuse_otel callbacks.s3 callbacks.s3_v2 callbacks.otel
    success_callback.langfuse success_callback.langfuse_otel success_callback.s3
    success_callback.s3_v2 success_callback.otel failure_callback.langfuse
    failure_callback.langfuse_otel failure_callback.s3 failure_callback.s3_v2
    failure_callback.otel
"""

_PROMETHEUS = "callbacks.prometheus success_callback.prometheus failure_callback.prometheus"

_S3_PARAMS = """
    s3_callback_params.s3_bucket_name s3_callback_params.s3_path
    s3_callback_params.s3_region_name s3_callback_params.s3_endpoint_url
    s3_callback_params.s3_aws_access_key_id s3_callback_params.s3_aws_secret_access_key
    s3_callback_params.s3_aws_session_token
"""

# By section. The first row that matches counts.
TABLE: Mapping[str, tuple[Row, ...]] = {
    "": (
        (_HONOURED, "", "environment_variables include"),
        (_MISSED, _NO_GUARDRAILS, "guardrails policies policy_attachments"),
        (_IGNORED, "write api_key into litellm_params", "credential_list"),
        (_IGNORED, _CHAT_ONLY, "agents assistant_settings files_settings finetune_settings"),
        (_IGNORED, _CHAT_ONLY, "mcp_* search_tools vector_*"),
    ),
    "model_list": (
        (_HONOURED, "", "model_name"),
        (_HONOURED, _WEIGHT, "rpm tpm"),
        (_IGNORED, "write it into litellm_params", "weight order timeout silent_model"),
    ),
    # What no row names is sent to the provider, as LiteLLM does.
    "litellm_params": (
        (_HONOURED, "", "model custom_llm_provider api_base base_url api_version"),
        (_HONOURED, "", "api_key azure_ad_token organization extra_headers headers"),
        (_HONOURED, "", "tenant_id client_id client_secret azure_scope ssl_verify"),
        (_HONOURED, "", "weight order timeout stream_timeout request_timeout drop_params"),
        (_HONOURED, "", "max_parallel_requests num_retries max_retries simulated silent_model"),
        (_HONOURED, "", "cooldown_time base_model"),
        (_HONOURED, _WEIGHT, "rpm tpm"),
        (_MISSED, _NO_BUDGETS, "max_budget budget_*"),
        (_MISSED, _NO_LIMITS, "default_api_key_* itpm otpm"),
        (_MISSED, _NO_GUARDRAILS, "guardrails"),
        (_MISSED, _NOT_BUILT, "langfuse_* langsmith_* humanloop_* arize_* posthog_* wandb_*"),
        (_IGNORED, "the deployment is unusable with it", "mock_*"),
        (_IGNORED, "the caller chooses, by the RPC", "stream messages"),
        (_HONOURED, "", _PRICES),
        (_IGNORED, _NO_SUCH_PRICE, "*_cost_per_* *_token_cost* *pricing*"),
        (_IGNORED, _NOT_SPOKEN, "aws_* vertex_* watsonx_* s3_* gcs_* bucket_* oci_*"),
        (_IGNORED, _CREDENTIALS, "azure_* use_xai_oauth"),
        (_IGNORED, _CREDENTIALS, "litellm_credential_name"),
        (_IGNORED, "not sent: it looks like a credential", "*_api_key *secret* *password*"),
        (_IGNORED, "not sent: it looks like a credential", "*credential*"),
        (
            _IGNORED,
            _NO_COUNTERPART,
            """
            adaptive_router_* additional_drop_params allow_client_keepalive_override
            allowed_model_region allowed_openai_params api_type assistant_continue_message
            auto_router_* bos_token cache cache_* caching caching_groups
            complexity_router_* configurable_clientside_auth_params context_window_fallback_dict
            enable_json_schema_validation ensure_alternating_roles eos_token fallbacks
            final_prompt_value force_timeout hf_model_name id keepalive_seconds litellm_*
            max_fallbacks max_file_size_mb merge_reasoning_content_in_choices metadata model_info
            no-log preset_cache_key prompt_id prompt_label prompt_variables prompt_version
            provider_affinity_header provider_specific_header quality_router_* region_name
            retry_policy retry_strategy roles supports_system_message tag_regex tags ttl
            turn_off_message_logging use_chat_completions_api use_in_pass_through
            use_litellm_proxy user_continue_message verbose
            """,
        ),
    ),
    "model_info": (
        (_HONOURED, "", "id mode blocked base_model max_output_tokens max_tokens"),
        (_HONOURED, "", _PRICES),
        (_IGNORED, _NO_SUCH_PRICE, "*_cost_per_* *_token_cost*"),
        (_MISSED, _NO_PERMISSIONS, "access_* team_*"),
        (_MISSED, _NO_TAGS, "*tag_filtering*"),
        (_IGNORED, "describes the model", "*"),
    ),
    "router_settings": (
        (_HONOURED, "", _FALLBACKS),
        (_HONOURED, "", "model_group_alias num_retries retry_after timeout stream_timeout"),
        (_HONOURED, "", "default_max_parallel_requests routing_strategy.simple-shuffle"),
        (_HONOURED, "retries always draw afresh", "enable_weighted_failover"),
        (
            _MISSED,
            "rpm and tpm are weights here, not limits",
            "routing_strategy.usage-based-routing*",
        ),
        (_IGNORED, "weights decide here", "routing_strategy.* routing_*"),
        (_IGNORED, "write weights into litellm_params", "weights"),
        (_IGNORED, "num_retries decides here", "retry_policy model_group_retry_policy"),
        (_HONOURED, "", "allowed_fails cooldown_time disable_cooldowns"),
        (
            _MISSED,
            "failures are counted together here; allowed_fails bounds them",
            "allowed_fails_policy",
        ),
        (_MISSED, _NO_TAGS, "enable_tag_filtering"),
        (_MISSED, _NO_BUDGETS, "provider_budget_config"),
        (_MISSED, _NO_CACHE, "cache_responses"),
        (_MISSED, _NO_GUARDRAILS, "guardrail_list"),
        (_MISSED, _NOT_BUILT, "optional_pre_call_checks.* enable_pre_call_check*"),
        (
            _IGNORED,
            _NO_COUNTERPART,
            """
            assistants_config cache_kwargs caching_groups client_ttl debug_level
            default_litellm_params default_priority deployment_affinity_*
            ignore_invalid_deployments model_group_affinity_config polling_interval redis_*
            router_general_settings search_tools set_verbose tag_*
            """,
        ),
    ),
    "litellm_settings": (
        (_HONOURED, "", _FALLBACKS),
        (_HONOURED, "", "drop_params num_retries request_timeout ssl_verify"),
        (_HONOURED, "", _CALLBACKS),
        (_HONOURED, _METRICS, _PROMETHEUS),
        (_HONOURED, "no prompt or answer is told to any tool", "turn_off_message_logging"),
        (_HONOURED, "", _S3_PARAMS),
        (_IGNORED, _NO_COUNTERPART, "s3_callback_params.*"),
        (_HONOURED, "nothing is ever sent home", "telemetry"),
        (_MISSED, _NOT_BUILT, "*callback.* *callbacks.* default_team_settings"),
        (_MISSED, _NOT_BUILT, "store_audit_logs cold_storage_*"),
        (_MISSED, _NO_CACHE, "cache"),
        (_HONOURED, "", "allowed_fails cooldown_time"),
        (_MISSED, _NO_BUDGETS, "max_budget budget_duration max_*_budget"),
        (_MISSED, _NO_PERMISSIONS, "key_generation_settings *_key_generate_params"),
        (_MISSED, _NO_PERMISSIONS, "default_internal_user_params"),
        (_MISSED, _NO_LIMITS, "priority_reservation*"),
        (_MISSED, _NO_GUARDRAILS, "guardrails banned_keywords_list llamaguard_* presidio_*"),
        (_MISSED, _NO_GUARDRAILS, "post_call_rules enable_json_schema_validation required_*"),
        (
            _IGNORED,
            _NO_COUNTERPART,
            """
            *_callback_params cache_params custom_provider_map disable_*
            enable_key_alias_format_validation enable_preview_features force_ipv4 json_logs
            langfuse_default_tags mcp_aliases model_alias_map modify_params
            redact_user_api_key_info set_verbose ssl_* suppress_debug_info
            use_chat_completions_url_for_anthropic_messages
            """,
        ),
    ),
    "general_settings": (
        (_HONOURED, "", "master_key"),
        (
            _MISSED,
            "keys, budgets, records and models of a database are not read here",
            "database_url store_model_in_db store_prompts_in_spend_logs",
        ),
        (_MISSED, _NO_PERMISSIONS, "custom_auth custom_sso enable_jwt_auth litellm_jwtauth"),
        (_MISSED, _NO_PERMISSIONS, "enable_oauth2_* oauth2_* allowed_ips allowed_routes"),
        (_MISSED, _NO_PERMISSIONS, "admin_only_routes ui_access_mode default_team_disabled"),
        (_MISSED, _NO_PERMISSIONS, "service_account_settings reject_clientside_metadata_tags"),
        (_MISSED, _NO_LIMITS, "max_parallel_requests global_max_parallel_requests"),
        (_MISSED, _NO_LIMITS, "max_request_size_mb max_response_size_mb"),
        (_MISSED, _NO_LIMITS, "enforce_user_param enforced_params"),
        (_MISSED, "alerts are not built in this version", "alert*"),
        (_IGNORED, _CHAT_ONLY, "pass_through_endpoints"),
        (_IGNORED, "each call names its model", "*_model infer_model_from_keys"),
        (_IGNORED, _CREDENTIALS, "key_management_* use_azure_key_vault use_google_kms"),
        (
            _IGNORED,
            _NO_COUNTERPART,
            """
            *health_check* allow_* custom_key_generate database_* disable_* forward_*
            litellm_key_header_name litellm_license maximum_spend_logs_* proxy_ba* proxy_bu*
            public_routes spend_report_frequency supported_db_objects use_*
            user_api_key_cache_ttl user_mcp_management_mode
            """,
        ),
    ),
    "understudy": (
        (_HONOURED, "", "accept_ignored egress.*"),
        (_HONOURED, "", "server.*"),
        (_HONOURED, "", "mirror.* records.* store.* experiments.* dashboard.* prices.* state_dir"),
        (_HONOURED, "", "sinks.* redaction.* metrics.*"),
    ),
}

# Keys whose values are names, each of which stands for itself.
NAMED_VALUES = frozenset(
    {
        "litellm_settings.audit_log_callbacks",
        "litellm_settings.callbacks",
        "litellm_settings.failure_callback",
        "litellm_settings.service_callback",
        "litellm_settings.service_callbacks",
        "litellm_settings.success_callback",
        "router_settings.optional_pre_call_checks",
        "router_settings.routing_strategy",
    }
)

# Keys whose values are mappings, each key of which stands for itself.
MAPPED_VALUES = frozenset({"litellm_settings.s3_callback_params"})

# A key that nobody knows, with a name that sounds as if somebody relied on it.
SOUNDS_PROTECTIVE = """
    *alert* *allowed* *audit* *auth* *banned* *block* *budget* *callback* *guard* *limit*
    *moderation* *permission* *pii* *redact* *spend*
"""
