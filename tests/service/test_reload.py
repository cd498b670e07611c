"""The file is read again while the service runs: whole or not at all, and under nobody's feet."""

import asyncio
from pathlib import Path

import grpc
import pytest

from understudy.server.routing.breaker import Circuit
from understudy.v1 import experiment_pb2, experiment_pb2_grpc

from ..stub.eventually import eventually
from ..stub.faultstub import FaultStub
from .asking import told
from .configs import deployment, write
from .reloading import bearing, key, reloadable

OLD = {"model_name": "g", "litellm_params": {"model": "simulated/old"}}
BOMB = "a: &a [x,x,x,x,x,x,x,x,x]\n" + "".join(
    f"{chr(98 + n)}: &{chr(98 + n)} [{','.join(['*' + chr(97 + n)] * 9)}]\n" for n in range(8)
)


@pytest.mark.asyncio
async def test_the_next_call_follows_the_new_file(tmp_path: Path) -> None:
    async with FaultStub() as stub:
        first = write(deployment(stub, "g", "one"))
        async with reloadable(tmp_path / "c.yaml", first) as service:
            before = await service.answer()
            refused = await service.reload(
                write(
                    deployment(stub, "g", "two"),
                    deployment(stub, "h", "three"),
                    router_settings={"model_group_alias": {"best": "h"}},
                )
            )
            after = [await service.answer(name) for name in ("g", "h", "best")]

    assert refused == ""
    assert before == "Hello from one."
    assert after == ["Hello from two.", "Hello from three.", "Hello from three."]
    assert service.log == [
        (
            "the configuration is reloaded: 1 model group added ('h'); "
            "1 model group changed ('g'); aliases, retries or fallbacks"
        )
    ]


@pytest.mark.asyncio
async def test_a_call_under_way_ends_as_it_began(tmp_path: Path) -> None:
    async with FaultStub() as stub:
        first = write(deployment(stub, "g", "slow-500ms"))
        async with reloadable(tmp_path / "c.yaml", first) as service:
            call = asyncio.create_task(service.answer())
            await eventually(lambda: stub.requests)
            await service.reload(write(deployment(stub, "other", "two")))
            with pytest.raises(grpc.aio.AioRpcError) as gone:
                await service.answer()
            answer = await call

    assert answer == "Hello from slow-500ms."
    assert told(gone.value).reason == "MODEL_NOT_FOUND"


@pytest.mark.asyncio
async def test_a_file_that_did_not_change_changes_nothing(tmp_path: Path) -> None:
    async with reloadable(tmp_path / "c.yaml", write(OLD)) as service:
        assert await service.reload() == ""

    assert service.log == ["the configuration is reloaded: nothing has changed"]


@pytest.mark.asyncio
@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("model_list: [", "c.yaml:1: is not YAML"),
        (BOMB, "holds more than 100000 values, aliases counted each time"),
        ("a: &a [*a]", "is nested deeper than 40 levels, or holds itself"),
        ("model_list: !!python/object/apply:os.system [true]", "only plain YAML is read"),
        (b"\xff\xfe", "it is no UTF-8 text"),
        ("", "there is no model left"),
        ("include: [gone.yaml]", "c.yaml:1: include: cannot read 'gone.yaml'"),
        (write(OLD, understudy={"server": {"prot": 1}}), "there is no such key; did you mean"),
        (
            write(OLD, litellm_settings={"cache": True}),
            "litellm_settings.cache protected or recorded something",
        ),
        (
            write(OLD, {"model_name": "g", "litellm_params": {"model": "bedrock/x"}}),
            "has 50% of the calls and cannot be asked",
        ),
        (
            write(
                {
                    "model_name": "g",
                    "litellm_params": {
                        "model": "openai/x",
                        "api_base": "https://h/v1",
                        "api_key": "sk-canary",
                        "ssl_verify": "/nowhere.pem",
                    },
                }
            ),
            "model group 'g': ssl_verify: cannot read /nowhere.pem",
        ),
        (
            write(OLD, understudy={"egress": {"ca_file": "/nowhere.pem"}}),
            "understudy.egress.ca_file: cannot read /nowhere.pem",
        ),
        (
            write(OLD, understudy={"server": {"tls": {"cert_file": "/no", "key_file": "/no"}}}),
            "understudy.server.tls.cert_file: No such file or directory: /no",
        ),
        (
            write(OLD, understudy={"experiments": {"seeds": [{"experiment": "x"}]}}),
            "understudy.experiments.seeds[0]: this is no experiment",
        ),
        (
            write(OLD, general_settings={"master_key": "os.environ/UNSET"}),
            "general_settings.master_key: the variable UNSET is not set",
        ),
    ],
    ids=range(15),
)
async def test_a_bad_file_changes_nothing_and_says_why(
    tmp_path: Path, text: str | bytes, why: str
) -> None:
    good = write(OLD)
    async with reloadable(tmp_path / "c.yaml", good) as service:
        snapshot = service.service.engine.live.current
        refused = await service.reload(text)
        status = await service.status()

        assert why in refused
        assert service.service.engine.live.current is snapshot
        assert await service.answer()
        assert status.config_error == refused
        assert all(line.startswith("the configuration is not reloaded: ") for line in service.log)
        assert "sk-canary" not in refused
        read = status.config_time.ToSeconds()

        assert await service.reload(good) == ""
        status = await service.status()
        assert (status.config_error, status.config_time.ToSeconds() > read) == ("", True)


@pytest.mark.asyncio
async def test_keys_are_exchanged_with_the_file(tmp_path: Path) -> None:
    def keyed(value: str, master: str) -> str:
        return write(
            OLD,
            environment_variables={"MASTER": master},
            general_settings={"master_key": "os.environ/MASTER"},
            understudy={"server": {"port": 0, "api_keys": [key(value, "caller")]}},
        )

    async with reloadable(tmp_path / "c.yaml", keyed("old", "old-master")) as service:
        assert await service.answer(**bearing("old"))
        assert await service.reload(keyed("new", "new-master")) == ""
        for value in ("new", "new-master"):
            assert await service.answer(**bearing(value))
        for value in ("old", "old-master"):
            with pytest.raises(grpc.aio.AioRpcError) as caught:
                await service.answer(**bearing(value))
            assert told(caught.value).reason == "CREDENTIALS_REJECTED"

    assert service.log == ["the configuration is reloaded: understudy.server.api_keys"]


@pytest.mark.asyncio
async def test_who_watches_by_a_key_that_has_gone_is_told_so(tmp_path: Path) -> None:
    def keyed(*values: str) -> str:
        keys = [key(one, "viewer") for one in values]
        return write(OLD, understudy={"server": {"port": 0, "api_keys": keys}})

    async with reloadable(tmp_path / "c.yaml", keyed("kept", "gone")) as service:
        stub = experiment_pb2_grpc.ExperimentServiceStub(service.channel)
        request = experiment_pb2.WatchExperimentsRequest()
        watches = {one: stub.WatchExperiments(request, **bearing(one)) for one in ("kept", "gone")}
        for one in watches.values():
            await one.read()
        assert await service.reload(keyed("kept")) == ""
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await watches["gone"].read()
        is_over = watches["kept"].done()
        watches["kept"].cancel()

    assert told(caught.value).reason == "CREDENTIALS_REJECTED"
    assert not is_over


@pytest.mark.asyncio
async def test_a_door_to_other_machines_is_not_left_open(tmp_path: Path) -> None:
    server = {"port": 0, "host": "0.0.0.0", "api_keys": [key("k")]}
    first = write(OLD, understudy={"server": server})
    # It still listens there: that it is to listen elsewhere does not help.
    open_door = write(OLD, understudy={"server": {"port": 0, "host": "127.0.0.1"}})
    async with reloadable(tmp_path / "c.yaml", first) as service:
        refused = await service.reload(open_door)

        assert "understudy.server.host" in refused
        assert not service.service.is_open


@pytest.mark.asyncio
async def test_what_waits_for_the_next_start_is_named_in_one_line(tmp_path: Path) -> None:
    state = {"state_dir": str(tmp_path / "state")}
    later = write(
        OLD,
        understudy={
            "server": {"port": 1, "drain": {"grace": "1s"}, "insecure": True},
            "store": {"url": "postgresql://u:sk-canary@h/d"},
            "mirror": {"threads": 3},
            "egress": {"proxy": "http://u:sk-canary@proxy:1"},
            "accept_ignored": [],
            **state,
        },
    )
    async with reloadable(tmp_path / "c.yaml", write(OLD, understudy=state)) as service:
        assert await service.reload(later) == ""
        first = list(service.log)
        await service.reload(later)

        assert first == [
            "the configuration is reloaded: understudy.server.insecure",
            (
                "changed, but take effect at the next start: understudy.server.port, "
                "understudy.server.drain.grace, understudy.store.url, understudy.mirror.threads, "
                "understudy.egress.proxy"
            ),
        ]
        assert service.log[1:] == first[1:]  # as long as it is so


@pytest.mark.asyncio
async def test_what_was_learnt_of_a_deployment_lasts_as_long_as_it_is_the_same(
    tmp_path: Path,
) -> None:
    def models(stub: FaultStub, second: str) -> str:
        return write(
            deployment(stub, "kept", "status-500"),
            deployment(stub, "moved", "status-500", api_key=second),
            router_settings={"allowed_fails": 0, "cooldown_time": 60, "num_retries": 0},
        )

    async with FaultStub() as stub:
        first = models(stub, "sk-one")
        async with reloadable(tmp_path / "c.yaml", first) as service:
            gate, live = service.service.engine.gate, service.service.engine.live
            ids = {name: group.deployments[0].id for name, group in live.current.groups.items()}
            for name in ids:
                with pytest.raises(grpc.aio.AioRpcError):
                    await service.answer(name)
            before = {name: gate.standing(one).circuit for name, one in ids.items()}
            assert await service.reload(models(stub, "sk-two")) == ""
            after = {name: gate.standing(one).circuit for name, one in ids.items()}

    assert before == {"kept": Circuit.OPEN, "moved": Circuit.OPEN}
    assert after == {"kept": Circuit.OPEN, "moved": Circuit.CLOSED}


@pytest.mark.asyncio
async def test_nobody_fails_while_the_file_is_read_again_and_again(tmp_path: Path) -> None:
    async with FaultStub() as stub:
        texts = [write(deployment(stub, "g", name)) for name in ("one", "two")]
        async with reloadable(tmp_path / "c.yaml", texts[0]) as service:
            answers: list[str] = []
            done = asyncio.Event()

            async def keep_asking() -> None:
                while not done.is_set():
                    answers.append(await service.answer())

            asking = [asyncio.create_task(keep_asking()) for _ in range(4)]
            for turn in range(1, 11):
                assert await service.reload(texts[turn % 2]) == ""
                name = ("one", "two")[turn % 2]
                assert await service.answer() == f"Hello from {name}."
            done.set()
            await asyncio.gather(*asking)

    assert set(answers) == {"Hello from one.", "Hello from two."}
