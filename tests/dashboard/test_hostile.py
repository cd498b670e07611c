"""Names, titles, prompts and causes that are markup or worse are shown as text, and come back whole."""

import json
from pathlib import Path

import grpc
from playwright.sync_api import Browser, expect

from understudy.v1 import experiment_pb2 as pb
from understudy.v1 import experiment_pb2_grpc

from ..service.configs import deployment, write
from ..service.running import serving
from ..stub.faultstub import FaultStub
from ..stub.runners import stub_thread
from .watching import watched

MARKUP = "</textarea></script><script>document.title='stolen'</script><img src=x onerror=alert(1)>"
TURNED = "abc\u202edcba\u202c\u2066x"
NUL = "nul \x00 esc \x1b[31m cr \r end\r\n\n  lines"
LONG = "ab" * (1 << 19)  # 1 MiB less what is below
GROUP = "<b onclick=alert(1)>group</b> \"'`{{7*7}}"


def test_whatever_is_written_is_shown_as_text(browser: Browser, tmp_path: Path) -> None:
    with stub_thread(FaultStub()) as stub:
        config = write(
            deployment(stub, GROUP, "one"),
            deployment(stub, "llama-2", "two"),
            understudy={
                "server": {"port": 0},
                "dashboard": {"port": 0},
                "state_dir": str(tmp_path / "state"),
            },
        )
        with serving(config, tmp_path) as demo, grpc.insecure_channel(demo.target) as channel:
            desk = experiment_pb2_grpc.ExperimentServiceStub(channel)
            url = demo.ready.split("dashboard=")[1].split(" ")[0]
            made = desk.CreateExperiment(
                pb.CreateExperimentRequest(experiment_id="hostile", experiment=hostile())
            ).experiment
            desk.StartExperiment(pb.StartExperimentRequest(name=made.name, etag=made.etag))
            with watched(browser, url) as window:
                page = window.page
                page.on("dialog", lambda dialog: window.faults.append(dialog.message))
                window.go("/experiments")
                expect(page.get_by_text("<script>", exact=False).first).to_be_visible()
                window.go("/new")
                expect(page.locator("#v0-group")).to_contain_text("onclick=alert(1)")
                window.go("/experiments/hostile")
                assert page.title() == "hostile · Understudy"
                expect(page.locator("#now")).to_contain_text("{{7*7}}")
                assert page.locator("#v0-system_prompt").input_value() == MARKUP + TURNED
                page.locator("#title").fill(f"again {MARKUP}")
                page.get_by_role("button", name="Preview").click()
                expect(page.locator("#preview")).to_contain_text("Nobody gets another variant")
                window.shoot("hostile")
                page.get_by_role("button", name="Apply").click()
                expect(page.get_by_role("status").first).to_contain_text("Applied")
                page.locator("[data-opens='roll-back']").click()
                page.locator("#cause").fill(MARKUP)
                page.locator("dialog#roll-back button:not([data-closes])").click()
                expect(page.locator(".trail li").first).to_contain_text("onerror=alert(1)")
                assert page.title() == "hostile · Understudy"
            left = desk.GetExperiment(pb.GetExperimentRequest(name=made.name)).experiment

    assert [one.overrides for one in left.variants] == [one.overrides for one in made.variants]
    assert left.title == f"again {MARKUP}"


def hostile() -> pb.Experiment:
    """An experiment whose every text is an attack."""
    return pb.Experiment(
        title=f"{MARKUP} {TURNED}",
        variants=[
            pb.Variant(
                id="a",
                model_group=GROUP,
                weight=8000,
                overrides=pb.Overrides(
                    system_prompt=MARKUP + TURNED,
                    params_json=json.dumps({"stop": MARKUP, "seed": 1}),
                ),
            ),
            pb.Variant(
                id="b",
                model_group="llama-2",
                weight=1000,
                overrides=pb.Overrides(system_prompt=NUL),
            ),
            pb.Variant(
                id="c",
                model_group="llama-2",
                weight=1000,
                overrides=pb.Overrides(system_prompt=LONG[: (1 << 20) - 2000]),
            ),
        ],
        control="a",
    )
