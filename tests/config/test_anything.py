"""Whatever the file holds, the outcome is a configuration or a ConfigError."""

from collections.abc import Sequence

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from understudy.server.config import parse, refusals
from understudy.server.errors import ConfigError

from .reading import FILES

ENVIRON = {"A": "x", "B": "true", "C": "a\nb", "OPENAI_API_KEY": "k\n", "AZURE_API_KEY": "z"}

KEYS = st.sampled_from(
    """
    model_list model_name litellm_params model custom_llm_provider api_key api_base api_version
    organization extra_headers weight rpm order timeout num_retries silent_model fraction params
    stream_options simulated model_info id mode blocked router_settings routing_strategy fallbacks
    default_fallbacks context_window_fallbacks model_group_alias hidden litellm_settings callbacks
    cache general_settings master_key environment_variables include understudy server port tls
    clients api_keys name sha256 roles drain delay egress proxy no_proxy mirror budget usd records
    capture experiments seeds accept_ignored <<
    """.split()  # noqa: SIM905
)
SCALARS = st.sampled_from(
    [
        *("1", "-1", "0.5", ".nan", ".inf", "1e999", "'0.3'", "null", "true", "~", "x", "g", "'*'"),
        *("os.environ/A", "os.environ/B", "os.environ/C", "os.environ/D", "30s", "5MiB", "1:30"),
        *(
            "gpt-4",
            "openai/gpt-4",
            "azure/x",
            "simulated/a",
            "huggingface/https://h/x",
            "bedrock/x",
        ),
        *(
            "baseten/abcdefgh",
            "foo/bar",
            "openai/*",
            "http://[::1",
            "https://u:p@h/",
            "http://h:0/",
        ),
        *("2024-02-01", "0x10", "99999999999999999999", "!!int x", "!!float ''", "!!bool x", "! x"),
        *("!!python/name:os.system x", "!!binary aGk=", "!!set {a}", "&a [*a]", "&b {c: 1}", "*b"),
        *('"\\ud800"', '"\\0"', '"a\\nb"', "'a\n\n b'", "[]", "{}", "!!null x", "!!timestamp 1"),
    ]
)


def in_braces(pairs: Sequence[tuple[str, str]]) -> str:
    return "{" + ", ".join(f"{key}: {value}" for key, value in dict(pairs).items()) + "}"


VALUES = st.recursive(
    SCALARS,
    lambda inner: (
        st.lists(inner, max_size=3).map(lambda items: "[" + ", ".join(items) + "]")
        | st.lists(st.tuples(KEYS, inner), max_size=4).map(in_braces)
    ),
    max_leaves=10,
)
MAPPINGS = st.lists(st.tuples(KEYS, VALUES), max_size=6).map(in_braces)
ITEMS = st.tuples(st.sampled_from(["g", "h", "'*'"]), MAPPINGS, MAPPINGS).map(
    lambda item: "{model_name: %s, litellm_params: %s, model_info: %s}" % item  # noqa: UP031
)


@st.composite
def files(draw: st.DrawFn) -> str:
    items = ", ".join(draw(st.lists(ITEMS, max_size=3)))
    sections = [
        f"{name}: {draw(MAPPINGS)}"
        for name in ("router_settings", "litellm_settings", "general_settings", "understudy")
    ]
    return "\n".join([f"model_list: [{items}]", *sections])


def attempt(text: str) -> None:
    try:
        config = parse(text, "config.yaml", ENVIRON)
    except ConfigError as error:
        lines = error.faults
    else:
        lines = [*refusals(config), *config.report.notes, repr(config)]

    assert lines
    assert "\n" not in "".join(lines)


@given(files() | VALUES | st.text())
@settings(max_examples=300, suppress_health_check=[HealthCheck.too_slow], deadline=None)
def test_parsing_anything_ends_in_a_configuration_or_in_faults(text: str) -> None:
    attempt(text)


@given(st.data())
@settings(max_examples=150, deadline=None)
def test_so_does_parsing_a_real_file_after_an_accident(data: st.DataObject) -> None:
    name = data.draw(st.sampled_from(sorted(path.name for path in FILES.iterdir())))
    text = (FILES / name).read_text()
    start = data.draw(st.integers(0, len(text)))
    end = data.draw(st.integers(start, min(len(text), start + 40)))

    attempt(text[:start] + data.draw(st.text(max_size=5)) + text[end:])
