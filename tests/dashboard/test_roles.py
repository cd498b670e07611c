"""Who sees what, and who may change it, where keys are configured."""

from collections.abc import Generator

import pytest
from playwright.sync_api import Browser, expect

from understudy.server.dashboard.pages import NAV, PAGES
from understudy.server.domain.access import Role
from understudy.server.servicers.access import ROLES

from .house import KEYS, Standing, Visitor, standing, with_keys
from .test_doors import FORM
from .watching import watched


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Generator[Standing]:
    folder = tmp_path_factory.mktemp("roles")
    with standing(folder, server=with_keys()) as one:
        yield one


def test_each_page_stands_for_an_rpc_that_exists() -> None:
    assert {page.call for page in PAGES} | {one.call for one in NAV} <= ROLES.keys()


def test_each_page_that_changes_anything_is_for_operators_or_whoever_may_rate() -> None:
    changing = {ROLES[page.call] for page in PAGES if page.changes}

    assert changing <= {Role.OPERATOR, Role.CALLER}


def test_nobody_sees_anything_before_logging_in(house: Standing) -> None:
    visitor = Visitor(house.url)

    for page in PAGES:
        path = page.path.replace("{", "").replace("}", "")
        answer = visitor.post(path, FORM) if page.changes else visitor.get(path)
        where = answer.headers.get("location") or answer.headers.get("hx-redirect", "")
        assert where.startswith("/login"), (page.path, answer.status)
        assert not answer.text


def test_a_viewer_looks_and_changes_nothing(house: Standing) -> None:
    operator, viewer = Visitor(house.url), Visitor(house.url)
    assert operator.log_in("operator").status == 303
    assert viewer.log_in("viewer").status == 303
    token = operator.token("/new")
    created = operator.post("/new", {**FORM, "id": "seen", "token": token})
    assert created.status == 303

    page = viewer.get("/experiments/seen")
    assert page.status == 200
    assert "data-opens" not in page.text
    assert 'id="edit"' not in page.text
    assert viewer.get("/new").status == 403
    own = viewer.token("/experiments/seen")
    for one in PAGES:
        if one.changes and ROLES[one.call] is Role.OPERATOR:
            path = one.path.replace("{id}", "seen")
            answer = viewer.post(path, {**FORM, "token": own, "etag": '"1"'})
            assert answer.status in (403, 204), one.path
            assert "operator" in answer.text + answer.headers.get("x-understudy-trouble", "")
    assert "Draft" in viewer.get("/experiments/seen").text


def test_a_key_for_asking_models_opens_no_page(house: Standing) -> None:
    answer = Visitor(house.url).log_in("caller")

    assert answer.status == 403
    assert "viewer" in answer.text


def test_logging_in_gives_another_token_and_logging_out_ends_it(house: Standing) -> None:
    visitor = Visitor(house.url)
    visitor.get("/login")
    before = dict(visitor.cookies)
    answer = visitor.log_in("operator")
    inside = dict(visitor.cookies)

    assert before != inside
    cookie = answer.headers["set-cookie"]
    assert "HttpOnly" in cookie
    assert "SameSite=strict" in cookie
    assert all(key not in cookie for key in KEYS.values())
    assert visitor.get("/experiments").status == 200
    assert KEYS["operator"] not in visitor.get("/experiments").text
    visitor.post("/logout", {"token": visitor.token("/experiments")})
    visitor.cookies = inside
    assert visitor.get("/experiments").status == 303


def test_login_leads_back_inside_only(house: Standing) -> None:
    for to, where in (("/new?a=1", "/new?a=1"), ("//evil.example", "/"), ("/\\evil", "/")):
        visitor = Visitor(house.url)
        token = visitor.token("/login")
        answer = visitor.post("/login", {"token": token, "key": KEYS["viewer"], "to": to})
        assert answer.headers["location"] == where


def test_a_viewer_and_an_operator_in_the_browser(browser: Browser, house: Standing) -> None:
    with watched(browser, house.url) as window:
        page = window.page
        window.go("/experiments")
        expect(page.get_by_role("heading", name="Log in")).to_be_visible()
        window.shoot("login-light")
        page.get_by_label("API key").fill(KEYS["viewer"])
        page.get_by_role("button", name="Log in").click()
        expect(page.get_by_role("heading", name="Experiments")).to_be_visible()
        expect(page.get_by_role("link", name="New experiment")).to_have_count(0)
        expect(page.get_by_text("viewer")).to_be_visible()
        page.get_by_role("button", name="Log out").click()
        expect(page.get_by_role("heading", name="Log in")).to_be_visible()


def test_guessing_keys_is_slowed(house: Standing) -> None:
    visitor = Visitor(house.url)
    token = visitor.token("/login")

    statuses = [
        visitor.post("/login", {"token": token, "key": f"guess-{number}"}).status
        for number in range(7)
    ]

    assert statuses[:4] == [403] * 4
    assert statuses[-1] == 429
