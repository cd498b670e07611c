"""Which requests come in: by name, by origin, by token, by size."""

import asyncio
import socket
import threading
from collections.abc import Generator
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from understudy.server.errors import ConfigError

from ..service.configs import write
from ..service.running import local
from .house import Standing, Visitor, standing, with_keys

SIMULATED = {"model_name": "gpt-4", "litellm_params": {"model": "simulated/gpt-4"}}

FORM = {
    "id": "greeting", "title": "", "model_group": "", "control": "0", "assignment": "AUTO",
    "metadata_key": "", "v0-id": "a", "v0-group": "gpt-4", "v0-weight": "80",
    "v1-id": "b", "v1-group": "llama-2", "v1-weight": "20",
}  # fmt: skip


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Generator[Standing]:
    with standing(tmp_path_factory.mktemp("doors")) as one:
        yield one


@pytest.mark.parametrize(
    ("host", "status"),
    [
        ("127.0.0.1", 200),
        ("localhost:1234", 200),
        ("[::1]:50052", 200),
        ("LOCALHOST.", 200),
        ("evil.example", 421),
        ("127.0.0.1.evil.example", 421),
        ("192.168.1.2", 421),
        ("localhost@evil.example", 421),
        ("[::1", 421),
        ("localhost:80x", 421),
        ("", 421),
    ],
)
def test_only_our_own_names_are_answered(house: Standing, host: str, status: int) -> None:
    assert Visitor(house.url).get("/experiments", host=host).status == status


def test_what_browsers_are_bound_by_is_on_every_answer(house: Standing) -> None:
    visitor = Visitor(house.url)

    for path in ("/experiments", "/nowhere", "/favicon.ico", "/experiments/nobody", "/new"):
        headers = visitor.get(path).headers
        policy = headers["content-security-policy"]
        assert "default-src 'none'" in policy
        assert "unsafe" not in policy
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["referrer-policy"] == "same-origin"
        assert headers["x-frame-options"] == "DENY"
        assert "server" not in headers
    assert visitor.get("/experiments").headers["cache-control"] == "no-store"


def test_static_files_are_kept_for_ever_under_the_name_of_what_is_in_them(house: Standing) -> None:
    visitor = Visitor(house.url)
    page = visitor.get("/experiments").text
    path = page.split('rel="stylesheet" href="')[1].split('"')[0]

    answer = visitor.get(path)

    assert answer.status == 200
    assert "immutable" in answer.headers["cache-control"]
    assert visitor.get("/static/0000000000000000/base.css").status == 404
    assert visitor.get("/static/../site.py").status == 404
    assert visitor.get("/static/%2e%2e/site.py").status == 404


def test_a_change_without_the_token_of_the_page_is_refused(house: Standing) -> None:
    visitor = Visitor(house.url)
    token = visitor.token("/new")

    assert visitor.post("/new", FORM).status == 403
    assert visitor.post("/new", {**FORM, "token": "0" * 64}).status == 403
    assert visitor.post("/new", {**FORM, "token": Visitor(house.url).token("/new")}).status == 403
    assert Visitor(house.url).post("/new", {**FORM, "token": token}).status == 403
    assert visitor.get("/experiments/greeting").status == 404
    assert visitor.post("/new", {**FORM, "token": token}).status == 303
    assert visitor.get("/experiments/greeting").status == 200


@pytest.mark.parametrize(
    "headers",
    [
        {"origin": "http://evil.example"},
        {"origin": "null"},
        {"sec_fetch_site": "cross-site"},
        {"sec_fetch_site": "same-site", "origin": "http://127.0.0.1:1"},
    ],
)
def test_a_change_from_elsewhere_is_refused(house: Standing, headers: dict[str, str]) -> None:
    visitor = Visitor(house.url)
    form = {**FORM, "id": "elsewhere", "token": visitor.token("/new")}

    assert visitor.post("/new", form, **headers).status == 403


def test_other_sites_may_link_to_a_page_and_not_load_it(house: Standing) -> None:
    visitor = Visitor(house.url)
    cross = {"sec_fetch_site": "cross-site"}

    assert visitor.get("/experiments", sec_fetch_mode="navigate", **cross).status == 200
    assert visitor.get("/experiments", sec_fetch_mode="no-cors", **cross).status == 403


def test_what_is_no_form_is_told_so(house: Standing) -> None:
    visitor = Visitor(house.url)
    kind = {"content_type": "application/x-www-form-urlencoded"}

    assert visitor.send("POST", "/new", b"{}", {"content_type": "application/json"}).status == 422
    assert visitor.send("POST", "/new", b"id=%ff", kind).status == 422
    assert visitor.send("POST", "/new", b"a&" * 5000, kind).status == 422
    assert visitor.send("POST", "/new", b"id=" + b"x" * (5 << 20), kind).status == 413
    assert visitor.send("PUT", "/new", b"", {}).status == 405
    assert visitor.send("POST", "/experiments", b"", kind).status == 405


def test_a_head_without_end_is_cut_off(house: Standing) -> None:
    place = urlsplit(house.url)

    with socket.create_connection((place.hostname, place.port), timeout=10) as wire:
        wire.sendall(b"GET / HTTP/1.1\r\nhost: localhost\r\nx: ")
        wire.sendall(b"x" * (128 << 10))
        reply = wire.recv(4096)

    assert reply.startswith(b"HTTP/1.1 400")


def test_a_page_that_does_not_exist_says_so_without_a_stack(house: Standing) -> None:
    visitor = Visitor(house.url)

    for path in ("/nowhere", "/experiments/nobody", "/experiments/%3Cscript%3E"):
        answer = visitor.get(path)
        assert answer.status == 404
        assert "Traceback" not in answer.text
        assert "<script>" not in answer.text.lower().split("</head>")[1]


@pytest.mark.asyncio
async def test_a_taken_port_is_refused_by_the_name_of_its_key(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        section = {"dashboard": {"port": taken.getsockname()[1]}, "state_dir": str(tmp_path)}

        with pytest.raises(ConfigError, match=r"understudy\.dashboard\.port: cannot listen"):
            async with local(write(SIMULATED, understudy={"server": {"port": 0}, **section})):
                pass


@pytest.mark.asyncio
async def test_beyond_loopback_it_wants_keys_or_to_be_told_to_be_insecure(tmp_path: Path) -> None:
    def section(**server: object) -> str:
        dashboard = {"host": "0.0.0.0", "port": 0}
        rest = {"server": {"port": 0, **server}, "dashboard": dashboard}
        return write(SIMULATED, understudy={**rest, "state_dir": str(tmp_path)})

    with pytest.raises(ConfigError, match=r"understudy\.dashboard\.host"):
        async with local(section()):
            pass
    async with local(section(insecure=True)) as open_house:
        assert open_house.service.dashboard.startswith("http://127.0.0.1:")
    async with local(section(**with_keys())) as closed:
        visitor = Visitor(closed.service.dashboard)
        answer = await asyncio.to_thread(visitor.get, "/experiments", host="10.0.0.7:50052")
        assert (answer.status, answer.headers["location"][:6]) == (303, "/login")
        answer = await asyncio.to_thread(visitor.get, "/experiments", host="evil.example")
        assert answer.status == 421


@pytest.mark.asyncio
async def test_switched_off_it_does_not_listen(tmp_path: Path) -> None:
    section = {"dashboard": {"enabled": False}, "state_dir": str(tmp_path)}

    async with local(write(SIMULATED, understudy={"server": {"port": 0}, **section})) as house:
        assert not house.service.dashboard
        assert not [one for one in threading.enumerate() if one.name == "dashboard"]
