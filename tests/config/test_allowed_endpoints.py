"""Endpoints that callers may name: what may be listed, and with which key each is asked."""

import pytest

from understudy.server.domain.deployment import Deployment
from understudy.server.errors import AccessError, Reason, RequestError
from understudy.server.providers.families import SPOKEN
from understudy.server.providers.named import NAMEABLE, OWN_DOMAINS
from understudy.server.providers.origins import MalformedError, read_location

from .reading import faults, read

HF = "https://x.us-east-1.aws.endpoints.huggingface.cloud"


def listing(*entries: str) -> str:
    """A file in which these may be named."""
    return f"understudy: {{server: {{allowed_endpoints: [{', '.join(entries)}]}}}}"


def named(name: str, entry: str, **environ: str) -> Deployment:
    """What a caller's name means if one entry is listed."""
    make = read(listing(entry), **environ).snapshot.named
    assert make is not None
    (deployment,) = make(name).deployments
    return deployment


def authorization(deployment: Deployment) -> str:
    """What is sent as the credential, empty for none."""
    assert deployment.endpoint is not None
    return dict(deployment.endpoint.headers).get("authorization", "")


@pytest.mark.parametrize(
    ("written", "origin"),
    [
        ("https://Host.Example", "https://host.example"),
        ("HTTPS://host.example.:443/", "https://host.example"),
        ("https://host.example:8443", "https://host.example:8443"),
        ("https://münchen.example", "https://xn--mnchen-3ya.example"),
        ("https://MÜNCHEN.example", "https://xn--mnchen-3ya.example"),
        ("https://1.1.1.1", "https://1.1.1.1"),
        ("https://[2606:4700:0:0:0::1111]:443", "https://[2606:4700::1111]"),
    ],
)
def test_each_origin_has_one_spelling(written: str, origin: str) -> None:
    (entry,) = read(listing(f"'{written}'")).settings.server.allowed_endpoints

    assert entry.origin == origin


@pytest.mark.parametrize(
    ("entry", "expected"),
    [
        ("https://h/v1", "[0].origin: has a path; an origin is https://host"),
        ("'https://*.endpoints.huggingface.cloud'", "[0].origin: holds a wildcard; anyone may"),
        ("'https://me:sk-1@h'", "[0].origin: holds a user name or password"),
        ("'https://h?key=sk-1'", "[0].origin: holds a query or a fragment"),
        ("ftp://h", "[0].origin: is not an http:// or https:// URL"),
        ("h.example", "[0].origin: is not of the form https://host"),
        ("huggingface/https://h", "[0].origin: is not of the form https://host"),
        ("'https://127.1'", "[0].origin: has a host that some read as an IPv4 address"),
        ("'https://h:0'", "[0].origin: is not of the form"),
        ("'https://h:65536'", "[0].origin: has a port beyond 65535"),
        ("'https://-h'", "[0].origin: has a host that is no name"),
        ("'https://a_b'", "[0].origin: has a host that is no name"),
        ("http://h", "[0]: is not encrypted; write https://, or allow_private: true"),
        ("{allow_private: true}", "[0].origin: is missing"),
        ("{origin: 'https://h', key: a}", "[0].key: there is no such key; did you mean 'api_key'?"),
        (
            "{origin: 'https://h', api_key: os.environ/LOST}",
            "[0].api_key: the variable LOST is not",
        ),
        ('{origin: "https://h", api_key: "a\\nb"}', "[0].api_key: holds a line break"),
        ("{origin: 'https://h', allow_private: 2}", "[0].allow_private: must be true or false"),
        ("'https://h', 'https://H.:443'", ": has the same origin twice"),
        ("7", "[0]: must be a mapping (is 7)"),
    ],
)
def test_what_cannot_be_listed_is_a_fault_with_its_place(entry: str, expected: str) -> None:
    (fault,) = faults(listing(entry))

    assert fault.startswith(f"config.yaml:1: understudy.server.allowed_endpoints{expected}")
    assert "sk-1" not in fault


def test_a_name_becomes_a_deployment_that_reaches_the_public_internet_only() -> None:
    one = named("huggingface/https://H:443/a/", "'https://h'")

    assert one.endpoint is not None
    assert one.endpoint.url == "https://h/a/v1/chat/completions"
    assert one.endpoint.public_only
    assert (one.id, one.group) == ("huggingface/https://h", "huggingface/https://h/a")
    assert (one.provider, one.model, one.weight) == ("huggingface", "tgi", 1.0)


def test_the_operator_says_what_is_private_and_what_the_model_is_called() -> None:
    entry = "{origin: 'http://vllm:8000', allow_private: true, model: llama, api_key: sk-1}"
    one = named("hosted_vllm/http://vllm:8000/v1", entry)

    assert one.endpoint is not None
    assert one.endpoint.url == "http://vllm:8000/v1/chat/completions"
    assert not one.endpoint.public_only
    assert (one.model, authorization(one)) == ("llama", "Bearer sk-1")


def test_what_holds_for_all_deployments_holds_for_named_ones() -> None:
    text = "{router_settings: {timeout: 7}, litellm_settings: {drop_params: true}, "
    make = read(text + listing("'https://h'") + "}").snapshot.named
    assert make is not None

    (one,) = make("huggingface/https://h").deployments

    assert (one.timeout, one.drop_params) == (7.0, True)


@pytest.mark.parametrize(
    ("provider", "origin", "expected"),
    [
        ("huggingface", HF, "Bearer hf"),
        ("huggingface", f"{HF}:8443", "Bearer hf"),
        ("litellm_proxy", HF, ""),
        ("openai_like", HF, ""),
        ("huggingface", "https://evil.example", ""),
        ("huggingface", "https://someone.hf.space", ""),
        ("huggingface", "https://endpoints.huggingface.cloud.evil.example", ""),
        ("huggingface", "https://evilendpoints.huggingface.cloud", ""),
        ("litellm_proxy", "https://evil.example", ""),
    ],
)
def test_a_key_of_the_environment_goes_to_its_own_providers_hosts_only(
    provider: str, origin: str, expected: str
) -> None:
    keys = {name: f"sk-{name}" for family in SPOKEN.values() for name in family.keys}

    one = named(f"{provider}/{origin}", f"'{origin}'", **{**keys, "HF_TOKEN": "hf"})

    assert authorization(one) == expected


@pytest.mark.parametrize("provider", NAMEABLE)
def test_without_a_key_of_its_own_no_provider_sends_one(provider: str) -> None:
    keys = {name: "sk-1" for family in SPOKEN.values() for name in family.keys}
    bases = {name: "https://elsewhere" for family in SPOKEN.values() for name in family.bases}

    one = named(f"{provider}/https://h", "'https://h'", **keys, **bases)

    assert one.endpoint is not None
    assert one.endpoint.origin == "https://h"
    assert "sk-1" not in str(one.endpoint.headers)


def test_an_unencrypted_host_is_lent_no_key() -> None:
    entry = f"{{origin: '{HF.replace('https', 'http')}', allow_private: true}}"
    one = named(f"huggingface/{HF.replace('https', 'http')}", entry, HF_TOKEN="hf")

    assert authorization(one) == ""


def test_the_report_says_which_key_goes_where() -> None:
    text = listing(f"'{HF}'", "'https://h'", "{origin: 'https://k', api_key: os.environ/K}")
    report = read(text, HF_TOKEN="hf_canary", K="sk-canary").report

    kept = "HF_TOKEN stays with its provider, give the entry an api_key"
    notes = [one for one in report.notes if one.startswith("callers may name")]
    assert notes == [
        f"callers may name {HF}: with HF_TOKEN for huggingface/",
        f"callers may name https://h: without a key; {kept}",
        "callers may name https://k: with its api_key",
    ]
    assert "canary" not in repr(report)
    (key,) = [one for one in report.keys if one.name == "understudy.server.allowed_endpoints"]
    assert key.standing.value == "honoured"


def test_an_unsendable_key_of_the_environment_is_a_fault() -> None:
    (fault,) = faults(listing(f"'{HF}'"), {"HF_TOKEN": "hf\nx: y"})

    assert fault.endswith("allowed_endpoints: HF_TOKEN holds a line break, which no header may")


def test_what_was_named_once_is_the_same_endpoint_the_next_time() -> None:
    make = read(listing("'https://h'")).snapshot.named
    assert make is not None

    assert make("huggingface/https://h") is make("huggingface/https://H:443/")
    for number in range(1000):
        make(f"huggingface/https://h/{number}")
    assert (
        len({one.id for n in range(9) for one in make(f"huggingface/https://h/{n}").deployments})
        == 1
    )


def test_an_id_is_short_and_no_other_origins() -> None:
    hosts = [f"https://{'a' * 60}.{'b' * 60}.{one}" for one in ("example", "test")]

    ids = [named(f"huggingface/{host}", f"'{host}'").id for host in hosts]

    assert [len(one) for one in ids] == [128, 128]
    assert ids[0] != ids[1]


def test_nothing_may_be_named_unless_it_is_listed() -> None:
    make = read("").snapshot.named
    assert make is not None

    with pytest.raises(AccessError, match='add "https://h" to ') as caught:
        make("huggingface/https://h/v1")

    assert caught.value.reason is Reason.ENDPOINT_NOT_ALLOWED
    assert caught.value.metadata == {"origin": "https://h"}


def test_only_providers_that_a_url_says_all_of_can_be_named() -> None:
    make = read(listing("'https://h'")).snapshot.named
    assert make is not None

    for provider in SPOKEN.keys() - set(NAMEABLE):
        with pytest.raises(RequestError, match="openai_like/https"):
            make(f"{provider}/https://h")
    assert SPOKEN.keys() >= {*NAMEABLE, *OWN_DOMAINS}
    assert {SPOKEN[one].dialect for one in NAMEABLE} == {"openai"}


@pytest.mark.parametrize(
    "url",
    ["https://h/a b", "https://h/\t", "https://h\\@b", "https://h/%0d%0a", "https://h//a", "https:///a",
     "https://h/a/./b", "https://[::1", "https://[fe80::1%25lo]", "https://h:+443", "https://h:0443",
     "https://①②⑦.⓪.⓪.①", "https://a。b", "https://" + "a" * 64, "https://" + "a." * 130 + "b"],
)  # fmt: skip
def test_what_can_be_read_in_two_ways_is_not_read(url: str) -> None:
    with pytest.raises(MalformedError):
        read_location(url)
