"""What a target means."""

import pytest

from understudy.client.targets import read_target, resolve

HOSTS = {"a": ["10.0.0.1", "10.0.0.2"], "b": ["10.0.0.3"], "six": ["fe80::1"], "none": []}


def look_up(host: str, port: int) -> list[str]:
    return HOSTS[host]


@pytest.mark.parametrize(
    ("text", "uri"),
    [
        ("localhost:50051", "localhost:50051"),
        ("localhost", "localhost:50051"),
        (" 127.0.0.1:1 ", "127.0.0.1:1"),
        ("[::1]:1", "[::1]:1"),
        ("[::1]", "[::1]:50051"),
        ("::1", "[::1]:50051"),
        ("dns:///understudy.svc:1", "dns:///understudy.svc:1"),
        ("dns://10.0.0.10/understudy.svc:1", "dns://10.0.0.10/understudy.svc:1"),
        ("unix:/run/u.sock", "unix:/run/u.sock"),
        ("127.0.0.1:1,127.0.0.1:2", "ipv4:127.0.0.1:1,127.0.0.1:2"),
        ("127.0.0.1:1, 127.0.0.1:1", "ipv4:127.0.0.1:1"),
        ("[::1]:1,[::1]:2", "ipv6:[::1]:1,[::1]:2"),
        ("127.0.0.1:1,[::1]:2", "ipv6:[::ffff:127.0.0.1]:1,[::1]:2"),
        ("a:1,b:2", "ipv4:10.0.0.1:1,10.0.0.2:1,10.0.0.3:2"),
        ("a:1,six:2", "ipv6:[::ffff:10.0.0.1]:1,[::ffff:10.0.0.2]:1,[fe80::1]:2"),
        ("none:1,b:2", "ipv4:10.0.0.3:2"),
    ],
)
def test_a_target_becomes_what_grpc_understands(text: str, uri: str) -> None:
    assert resolve(read_target(text), look_up) == uri


def test_a_list_of_names_without_addresses_is_nowhere() -> None:
    with pytest.raises(LookupError, match="none:1,none:2"):
        resolve(read_target("none:1,none:2"), look_up)


@pytest.mark.parametrize(
    "text",
    [
        *("", ",", "a:1,,b:1", "a:0", "a:65536", "a:x", "a:-1", ":1", "[::1", "[::1]x", "a b:1"),
        *("http://a:1", "https://a", "xds:///a", "user@a:1", "a:1/path", "a:²"),
    ],
)
def test_what_is_no_target_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="target"):
        read_target(text)


@pytest.mark.parametrize(
    ("text", "loopback"),
    [
        ("localhost:1", True),
        ("x.localhost:1", True),
        ("127.0.0.9:1", True),
        ("[::1]:1", True),
        ("unix:/x", True),
        ("dns:///localhost:1", True),
        ("localhost:1,127.0.0.1:2", True),
        ("localhost:1,10.0.0.1:2", False),
        ("0.0.0.0:1", False),
        ("understudy:1", False),
        ("localhost.evil.example:1", False),
        ("dns:///understudy:1", False),
    ],
)
def test_only_what_stays_on_this_machine_is_loopback(text: str, loopback: bool) -> None:
    assert read_target(text).is_loopback is loopback
