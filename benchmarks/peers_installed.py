"""The peers that `peers` measures, installed into .peers at the first run, and their versions."""

import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Final

PLACE: Final = Path(__file__).parent.parent / ".peers"
LITELLM: Final = "litellm[proxy]"
PORTKEY: Final = "@portkey-ai/gateway"


def install_litellm() -> Path:
    """Install LiteLLM, and return its Python."""
    python = PLACE / "litellm" / "bin" / "python"
    if not (PLACE / "litellm" / "bin" / "litellm").exists():
        subprocess.run([sys.executable, "-m", "venv", str(PLACE / "litellm")], check=True)
        subprocess.run([str(python), "-m", "pip", "install", "-q", LITELLM], check=True)
    return python


def install_portkey() -> Path | None:
    """Install Portkey's gateway, and return its program; None where there is no node."""
    npm = shutil.which("npm")
    if npm is None or shutil.which("node") is None:
        return None
    folder = PLACE / "portkey"
    program = folder / "node_modules" / PORTKEY / "build" / "start-server.js"
    if not program.exists():
        folder.mkdir(parents=True, exist_ok=True)
        told = subprocess.run(
            [npm, "install", "--silent", "--no-audit", "--prefix", str(folder), PORTKEY],
            check=False,
        )
        if told.returncode or not program.exists():
            return None
    return program


def name_versions(python: Path, gateway: Path | None) -> list[str]:
    """Return what was measured."""
    ask = "import importlib.metadata as m; print(m.version('litellm'))"
    said = subprocess.run([str(python), "-c", ask], capture_output=True, text=True, check=True)
    found = [f"LiteLLM {said.stdout.strip()}"]
    if gateway is not None:
        about = json.loads((gateway.parent.parent / "package.json").read_text())
        found.append(f"Portkey {about['version']}")
    return found
