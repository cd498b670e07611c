"""Every provider that speaks TLS, through a proxy: it learns the host and nothing more."""

import asyncio
import base64
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from understudy.server.domain.chat import ChatCall, Message
from understudy.server.domain.deployment import Deployment, Endpoint, Secret
from understudy.server.providers import dialect
from understudy.server.providers.catalog import resolve
from understudy.server.providers.families import SPOKEN
from understudy.server.providers.targets import Target, Wanted
from understudy.server.upstream import HttpUpstream

from ..stub.certificates import Authority
from ..stub.faultstub import FaultStub
from .asking import ask
from .tunnel import Tunnel

KEY = "sk-canary-0123456789"
PROMPT = "a canary in a prompt"
BASIC = base64.b64encode(b"me:p@ss").decode()

# Where a provider has no address of its own, or has another one besides.
ELSEWHERE = {
    "azure": "https://mine.openai.azure.com",
    "databricks": "https://mine.cloud.databricks.com/serving-endpoints",
    "huggingface/https://mine.endpoints.huggingface.cloud": "",
    "baseten/abCD1234": "",
    "ollama": "https://ollama.example",
    "ollama_chat": "https://ollama.example",
    "petals": "https://chat.petals.dev/api/v1/generate",
    "litellm_proxy": "https://proxy.example",
    "hosted_vllm": "https://vllm.example/v1",
}


def targets() -> dict[str, Target]:
    """Return where each provider's prompts go, of those that are reached by TLS."""
    named = {name: "" for name in SPOKEN if name not in ELSEWHERE} | ELSEWHERE
    found = {
        name: resolve(
            Wanted(
                model=name if "/" in name else f"{name}/org/m",
                api_base=base,
                api_key=Secret(KEY, "api_key"),
            ),
            {},
        )
        for name, base in named.items()
    }
    return {
        name: target
        for name, target in found.items()
        if target.endpoint is not None and target.endpoint.url.startswith("https:")
    }


TARGETS = targets()


def test_all_that_have_an_address_are_among_them() -> None:
    own = {name for name, family in SPOKEN.items() if family.base.startswith("https:")}

    assert own | ELSEWHERE.keys() <= TARGETS.keys()
    assert len(TARGETS) > 45


@pytest.mark.asyncio
@pytest.mark.parametrize("name", TARGETS)
async def test_a_prompt_goes_through_and_the_proxy_sees_none_of_it(
    name: str, authority: Authority, tmp_path: Path
) -> None:
    target = TARGETS[name]
    assert target.endpoint is not None
    host = urlsplit(target.endpoint.url).hostname or ""
    asked = dialect(target.provider).encode(
        ChatCall((Message("user", PROMPT),), {"max_tokens": 16}), _deployment(target.endpoint, name)
    )

    async with FaultStub(tls=authority.serve_as(host)) as stub:
        tunnel = Tunnel(port=stub.port)
        async with (
            await asyncio.start_server(tunnel, "127.0.0.1", 0) as server,
            HttpUpstream(
                proxy=f"http://me:p%40ss@127.0.0.1:{server.sockets[0].getsockname()[1]}",
                ca_file=authority.write_to(tmp_path),
            ) as upstream,
        ):
            answer = await ask(upstream, asked)

        (seen,) = stub.requests
    (head,) = tunnel.heads
    assert answer.status == 200
    assert PROMPT.replace(" ", "+").encode() in seen.body.replace(b" ", b"+")
    assert KEY in seen.head.decode()
    assert seen.headers["host"] == host
    assert not {"proxy-authorization", "proxy-connection"} & seen.headers.keys()
    assert BASIC not in seen.head.decode()
    assert head.startswith(f"CONNECT {host}:443 HTTP/1.1\r\n".encode())
    assert f"basic {BASIC}".lower() in head.decode().lower()
    for secret in (KEY.encode(), b"canary in"):
        assert secret not in head + tunnel.passed


def _deployment(endpoint: Endpoint, name: str) -> Deployment:
    target = TARGETS[name]
    return Deployment(
        id=name, group="g", provider=target.provider, model=target.model, endpoint=endpoint
    )
