"""Imports run inwards, and what reaches the world stays at the edge."""

import ast
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
SERVER = ROOT / "server/understudy/server"
CLIENT = ROOT / "client/understudy/client"
PREFIX = "understudy.server."

# Innermost first. A member may import members before it; those in one row know nothing of each
# other and meet in `app`, through `ports`.
ROWS = (
    {"domain"},
    {"errors"},
    {"routing", "evaluation", "events", "questions", "readout"},
    {"ports"},
    {"providers", "experiments", "pricing", "capturing"},
    {"config"},
    {"live", "endings", "mirror_side", "pair_ids"},
    {"attempt"},
    {"completer", "probing"},
    {"database", "listeners"},
    {
        "simulated",
        "upstream",
        "gate",
        "mirror",
        "records",
        "store",
        "sinks",
        "servicers",
        "dashboard",
        "logs",
    },
    {
        "listening",
        "reloading",
        "statedir",
        "collecting",
        "precedence",
        "scraping",
        "pulse",
        "connections",
        "processes",
    },
    {"engine", "control", "metrics_side", "reporting"},
    {"serving", "measuring", "dashboard_process"},
    {"app", "workers", "inprocess"},
    {"cli"},
    {"__main__"},
)
RANK = {name: rank for rank, row in enumerate(ROWS) for name in row}

PURE = {
    "domain",
    "errors",
    "events",
    "routing",
    "evaluation",
    "questions",
    "readout",
    "ports",
    "pricing",
    "capturing",
    "providers",
    "live",
    "endings",
}
IMPURE = {
    "aiohttp", "asyncio", "grpc", "httpx", "os", "random", "requests", "secrets",
    "socket", "sqlalchemy", "subprocess", "threading", "time", "uvloop",
}  # fmt: skip


def modules(root: Path) -> list[Path]:
    return [
        path
        for path in sorted(root.rglob("*.py"))
        if path.name != "__init__.py" or path.read_text()
    ]


def imports(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert not node.level, f"{path}: imports are absolute"
            assert node.module is not None
            yield node.module


def member(path: Path) -> str:
    return path.relative_to(SERVER).parts[0].removesuffix(".py")


@pytest.mark.parametrize("path", modules(SERVER), ids=lambda path: str(path.relative_to(SERVER)))
def test_imports_run_inwards(path: Path) -> None:
    own = member(path)
    if own == "__init__":
        return
    for name in imports(path):
        if not name.startswith(PREFIX):
            continue
        other = name.removeprefix(PREFIX).partition(".")[0]
        if other == own:
            continue
        assert RANK[other] < RANK[own], f"{own} imports {other}"


@pytest.mark.parametrize("path", modules(SERVER), ids=lambda path: str(path.relative_to(SERVER)))
def test_the_core_is_pure(path: Path) -> None:
    if member(path) in PURE:
        assert not {name.partition(".")[0] for name in imports(path)} & IMPURE


def test_only_upstream_speaks_http() -> None:
    for path in modules(SERVER):
        if member(path) != "upstream":
            found = {name.partition(".")[0] for name in imports(path)}
            assert not found & {"httpx", "aiohttp"}, path


def test_only_the_edge_speaks_grpc() -> None:
    edge = {"servicers", "serving", "app", "workers", "listening", "cli", "inprocess"}
    courier = SERVER / "sinks/sending/grpc_courier.py"  # to collectors, which speak it too
    for path in modules(SERVER):
        if member(path) not in edge and path != courier:
            assert not [
                name
                for name in imports(path)
                if name.partition(".")[0] in ("grpc", "google") or name.startswith("understudy.v1")
            ], path


def test_the_client_needs_grpc_and_protobuf_only() -> None:
    allowed = sys.stdlib_module_names | {"grpc", "google", "understudy"}
    for path in modules(CLIENT):
        for name in imports(path):
            assert name.partition(".")[0] in allowed, f"{path} imports {name}"
            assert not name.startswith("understudy.server"), f"{path} imports {name}"


def test_the_namespace_has_no_init() -> None:
    for root in ("protos", "server", "client"):
        assert not (ROOT / root / "understudy/__init__.py").exists()


def test_every_module_says_what_lives_in_it() -> None:
    for path in (*modules(SERVER), *modules(CLIENT)):
        assert ast.get_docstring(ast.parse(path.read_text())), f"{path} has no docstring"
