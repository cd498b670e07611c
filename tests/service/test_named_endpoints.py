"""Callers name endpoints by URL: only what is listed, nothing private, with no other's key."""

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import grpc
import pytest

from understudy.server.config import parse
from understudy.server.errors import ConfigError
from understudy.v1 import completion_pb2

from ..stub.certificates import Authority
from ..stub.closed_world import ClosedWorld
from ..stub.faultstub import FaultStub
from .asking import Request, Told, prompt, told
from .configs import deployment, write
from .running import Local, local

TUTORIAL = "my-unique-endpoint.us-east-1.aws.endpoints.huggingface.cloud"
PUBLIC = "93.184.216.34"  # in the closed world, nobody is there
# Each leads, by some reading or by the resolver below, to loopback or another forbidden place.
NAMES: Mapping[str, list[str]] = {
    "localhost": ["127.0.0.1", "::1"],
    "ip6-localhost": ["::1"],
    "loopback.test": ["127.0.0.1"],
    "mapped.test": ["::ffff:127.0.0.1"],
    "nat64.test": ["64:ff9b::7f00:1"],
    "sixtofour.test": ["2002:7f00:1::"],
    "mixed.test": [PUBLIC, "127.0.0.1"],
    "metadata.google.internal": ["169.254.169.254"],
    "instance-data.ec2.internal": ["fd00:ec2::254"],
    "xn--mnchen-3ya.test": ["10.0.0.1"],
    TUTORIAL: ["127.0.0.1"],
}
SPELLINGS = [
    "127.0.0.1", "127.1", "127.0.1", "0x7f000001", "0x7f.0.0.1", "0x7f.1", "2130706433",
    "017700000001", "0177.0.0.1", "127.0.0.1.", "127.000.000.001", "0", "0.0.0.0",
    "①②⑦.⓪.⓪.①", "\uff11\uff12\uff17.0.0.1", "127。0。0。1", "%31%32%37.0.0.1", "127.0.0.1%00.example",
    "[::1]", "[::]", "[0:0:0:0:0:0:0:1]", "[::ffff:127.0.0.1]", "[::ffff:7f00:1]", "[::127.0.0.1]",
    "[64:ff9b::7f00:1]", "[64:ff9b::a9fe:a9fe]", "[64:ff9b:1::7f00:1]", "[2002:7f00:1::]",
    "[2001:0:a9fe:a9fe::1]", "[fe80::1]", "[fe80::1%lo]", "[fe80::1%25lo]", "[fd00::1]",
    "[fd00:ec2::254]", "[fd20:ce::254]", "[ff02::1]", "[fec0::1]",
    "localhost", "localhost.", "LOCALHOST", "ip6-localhost", "user@127.0.0.1", "127.0.0.1#@a.test",
    "127.0.0.1\\@a.test", "169.254.169.254", "0xa9fea9fe", "2852039166", "0251.0376.0251.0376",
    "169.254.170.2", "100.100.100.200", "168.63.129.16", "192.0.0.192", "100.64.0.1",
    "192.168.1.1", "10.0.0.1", "172.16.0.1", "255.255.255.255", "224.0.0.1", "198.18.0.1",
    "240.0.0.1", "loopback.test", "mapped.test", "nat64.test", "sixtofour.test", "mixed.test",
    "metadata.google.internal", "instance-data.ec2.internal", "münchen.test", TUTORIAL,
]  # fmt: skip


@pytest.fixture
def world() -> Iterator[ClosedWorld]:
    with pytest.MonkeyPatch.context() as patch:
        made = ClosedWorld(NAMES)
        made.install(patch)
        yield made


def allowing(*entries: object, **sections: Any) -> str:
    """A configuration in which callers may name these origins."""
    server = {"port": 0, "allowed_endpoints": list(entries)}
    understudy = {"server": server, "records": {"enabled": False}, **sections}
    return write(understudy=understudy)


def near(stub: FaultStub, **more: object) -> dict[str, object]:
    """The stub as an entry that may be reached although it is on loopback."""
    return {"origin": stub.url, "allow_private": True, **more}


def list_one(origin: str) -> str:
    """Return the origin as it is listed, empty if the listing is refused."""
    try:
        (listed,) = parse(allowing(origin), "test.yaml", {}).settings.server.allowed_endpoints
    except ConfigError:
        return ""
    return listed.origin


async def refusal(running: Local, request: Request) -> Told:
    """Make a call that fails; return what it told, the same for a stream."""
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await running.stub.CreateCompletion(request)
    with pytest.raises(grpc.aio.AioRpcError) as streamed:
        async for _ in running.stub.StreamCompletion(request):
            pass
    assert told(streamed.value).reason == told(caught.value).reason
    return told(caught.value)


@pytest.mark.asyncio
async def test_no_spelling_of_a_forbidden_address_is_contacted(world: ClosedWorld) -> None:
    async with FaultStub() as canary:
        origins = [f"https://{one}:{canary.port}" for one in SPELLINGS]
        listed = {one: listing for one in origins if (listing := list_one(one))}
        async with local(allowing(*set(listed.values()))) as running:
            told_of = {
                one: (await refusal(running, prompt(f"huggingface/{one}"))).reason
                for one in origins
            }

        assert told_of == {
            one: "UPSTREAM_ADDRESS_REFUSED" if one in listed else "INVALID_REQUEST"
            for one in origins
        }
        assert len(listed) > 30
        assert len(origins) - len(listed) > 15
        assert (world.contacted, canary.connection_count) == ([], 0)


@pytest.mark.asyncio
async def test_what_is_not_listed_is_refused_before_it_is_looked_up(world: ClosedWorld) -> None:
    async with local(allowing("https://listed.test")) as running:
        world.asked.clear()
        for origin in ("https://other.test", "https://listed.test:8443", "http://listed.test",
                       "https://a.listed.test", "https://listed.test.evil.test"):  # fmt: skip
            said = await refusal(running, prompt(models={f"huggingface/{origin}/v1": 1.0}))

            assert said.code is grpc.StatusCode.PERMISSION_DENIED
            assert said.reason == "ENDPOINT_NOT_ALLOWED"
            assert f'add "{origin}" to understudy.server.allowed_endpoints' in said.message
            assert said.may_retry

        assert world.contacted == []
        assert not [host for host in world.asked if "test" in str(host)]


@pytest.mark.asyncio
@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("huggingface/https://listed.test/" + "x" * 2048, "2048 characters"),
        ("huggingface/https://listed.test\r\nx-evil: 1", "control character"),
        ("gpt-4\r\nx-evil: 1", "control character"),
        ("gpt-4\x00", "control character"),
        ("x" * 2049, "2048 characters"),
        ("huggingface/https://me:pw@listed.test", "user name or password"),
        ("huggingface/https://listed.test@evil.test", "user name or password"),
        ("huggingface/https://listed.test?x=1", "query or a fragment"),
        ("huggingface/https://listed.test#x", "query or a fragment"),
        ("huggingface/https://listed.test/a/../b", "path"),
        ("huggingface/https://listed.test/%2e%2e/b", "path"),
        ("huggingface/https://*.test", "wildcard"),
        ("huggingface/file:///etc/passwd", "form https://host"),
        ("huggingface/gopher://listed.test", "http:// or https://"),
        ("https://listed.test", "a provider before it"),
        ("openai/https://listed.test", "write openai_like/https://"),
        ("azure/https://listed.test", "write openai_like/https://"),
        ("nobody/https://listed.test", "write openai_like/https://"),
        ("simulated/https://listed.test", "write openai_like/https://"),
    ],
)
async def test_a_malformed_name_is_the_callers_to_mend(
    world: ClosedWorld, name: str, expected: str
) -> None:
    async with local(allowing("https://listed.test")) as running:
        said = await refusal(running, prompt(name))

    assert (said.code, said.reason) == (grpc.StatusCode.INVALID_ARGUMENT, "INVALID_REQUEST")
    assert expected in said.message
    assert "pw" not in said.message
    assert world.contacted == []


@pytest.mark.asyncio
async def test_a_listed_endpoint_answers_under_the_name_that_the_tutorial_gives_it(
    world: ClosedWorld, tmp_path: Path
) -> None:
    authority = Authority()
    async with FaultStub(tls=authority.serve_as(TUTORIAL), mode="ok") as stub:
        origin = f"https://{TUTORIAL}:{stub.port}"
        config = allowing(
            {"origin": origin, "allow_private": True},
            egress={"ca_file": authority.write_to(tmp_path)},
        )
        async with local(config, {"HF_TOKEN": "hf_canary", "LITELLM_PROXY_API_KEY": "sk-l"}) as run:
            answer = await run.stub.CreateCompletion(prompt(models={f"huggingface/{origin}": 0.2}))
            shouted = origin.replace("https", "HTTPS").replace(TUTORIAL, TUTORIAL.upper())
            await run.stub.CreateCompletion(prompt(f"huggingface/{shouted}/X/v1/"))
            for other in ("litellm_proxy", "openai_like", "hosted_vllm"):
                await run.stub.CreateCompletion(prompt(f"{other}/{origin}/v1"))
            models = await run.stub.ListModels(completion_pb2.ListModelsRequest())

    assert answer.routing.variant == answer.routing.model_group == f"huggingface/{origin}"
    assert answer.routing.deployment == f"huggingface/{origin}"
    assert answer.routing.provider == "huggingface"
    first, second, *others = stub.requests
    assert first.path == "/v1/chat/completions"
    assert second.path == "/X/v1/chat/completions"
    assert json.loads(first.body)["model"] == "tgi"
    assert first.headers["host"] == f"{TUTORIAL}:{stub.port}"
    assert first.headers["authorization"] == second.headers["authorization"] == "Bearer hf_canary"
    assert [one.path for one in others] == ["/v1/chat/completions"] * 3
    assert not [one for one in others if "authorization" in one.headers]
    assert len(models.models) == 0


@pytest.mark.asyncio
async def test_an_entrys_own_key_goes_to_its_own_origin_only() -> None:
    environment = {name: f"sk-{name}" for name in (
        "HF_TOKEN", "HUGGINGFACE_API_KEY", "LITELLM_PROXY_API_KEY", "OPENAI_LIKE_API_KEY",
        "HOSTED_VLLM_API_KEY", "OPENAI_API_KEY")}  # fmt: skip
    async with FaultStub(mode="ok") as own, FaultStub(mode="ok") as other:
        config = allowing(near(own, api_key="os.environ/OWN", model="llama"), near(other))
        async with local(config, environment | {"OWN": "sk-own"}) as running:
            for stub in (own, other):
                for provider in ("huggingface", "litellm_proxy", "openai_like", "hosted_vllm"):
                    await running.stub.CreateCompletion(prompt(f"{provider}/{stub.url}/v1"))

    assert {one.headers["authorization"] for one in own.requests} == {"Bearer sk-own"}
    assert {json.loads(one.body)["model"] for one in own.requests} == {"llama"}
    assert not [one for one in other.requests if "authorization" in one.headers]
    assert not [one for one in other.requests if b"sk-" in one.head + one.body]


@pytest.mark.asyncio
async def test_allow_private_reaches_loopback_and_the_metadata_service_never(
    world: ClosedWorld,
) -> None:
    async with FaultStub(mode="ok") as stub:
        metadata = {"origin": "http://169.254.169.254", "allow_private": True}
        async with local(allowing(near(stub), metadata)) as running:
            await running.stub.CreateCompletion(prompt(f"huggingface/{stub.url}"))
            said = await refusal(running, prompt("huggingface/http://169.254.169.254"))

    assert (stub.count, said.reason) == (1, "UPSTREAM_ADDRESS_REFUSED")
    assert set(world.contacted) == {"127.0.0.1"}


@pytest.mark.asyncio
async def test_no_redirect_of_a_named_endpoint_is_followed() -> None:
    async with FaultStub() as canary, FaultStub(mode="redirect-307") as stub:
        stub.redirect_to = f"{canary.url}/v1/chat/completions"
        async with local(allowing(near(stub, api_key="sk-own"))) as running:
            said = await refusal(running, prompt(f"huggingface/{stub.url}"))

    assert said.reason == "UPSTREAM_REDIRECT_REFUSED"
    assert canary.connection_count == 0


@pytest.mark.asyncio
async def test_an_operators_connection_carries_no_callers_request() -> None:
    """The same host and port, once in the file and once named: the one must not open the other."""
    async with FaultStub() as stub:
        base = f"http://localhost:{stub.port}"
        config = json.loads(allowing(f"https://localhost:{stub.port}"))
        config["model_list"] = [deployment(stub, "own", api_base=f"{base}/v1")]
        async with local(json.dumps(config)) as running:
            await running.stub.CreateCompletion(prompt("own"))
            said = await refusal(running, prompt(f"huggingface/https://localhost:{stub.port}"))

    assert said.reason == "UPSTREAM_ADDRESS_REFUSED"
    assert (stub.count, stub.connection_count) == (1, 1)


@pytest.mark.asyncio
async def test_no_caller_sets_an_address_a_header_or_a_key(world: ClosedWorld) -> None:
    async with FaultStub() as canary, FaultStub() as stub:
        words = ("api_base", "base_url", "x-api-base", "api_key", "host", "authorization")
        evil = f"{canary.url}/v1"
        config = json.loads(allowing())
        config["model_list"] = [deployment(stub, "own")]
        async with local(json.dumps(config)) as running:
            # Labels and gRPC metadata are taken, and go nowhere.
            labels = dict.fromkeys(words, evil)
            headers = [(name, evil) for name in words if name not in ("host", "authorization")]
            await running.stub.CreateCompletion(
                prompt("own", metadata=labels, user=evil), metadata=headers
            )
            for name in ("api_base", "base_url", "api_key", "API_BASE", "custom_llm_provider",
                         "extra_headers", "user_config", "fallbacks", "aws_sts_endpoint"):  # fmt: skip
                for asked in (
                    prompt("own", extra_body_json=json.dumps({name: evil})),
                    prompt("own", extra_body={name: evil}),
                ):
                    said = await refusal(running, asked)
                    assert said.reason == "INVALID_REQUEST", name
                    assert name in said.message

        (seen,) = stub.requests
        assert evil.encode() not in seen.head
        body = json.loads(seen.body)
        assert [key for key, value in body.items() if evil in str(value)] == ["user"]
        assert seen.headers["authorization"] == "Bearer sk-test"
        assert canary.connection_count == 0
        assert set(world.contacted) == {"127.0.0.1"}
