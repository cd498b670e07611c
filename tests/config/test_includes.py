"""Files that include files: what is joined, what is replaced, and where a fault stands."""

from collections.abc import Mapping
from pathlib import Path

import pytest

from understudy.server.config import Config, Standing, load, parse
from understudy.server.config.document import LARGEST_FILE
from understudy.server.errors import ConfigError

from .reading import deployments

ONE = "model_list: [{model_name: a, litellm_params: {model: simulated/a}}]\n"
TWO = "model_list: [{model_name: b, litellm_params: {model: simulated/b}}]\n"


def put(folder: Path, files: Mapping[str, str]) -> Path:
    for name, text in files.items():
        path = folder / name
        path.parent.mkdir(exist_ok=True, parents=True)
        path.write_text(text)
    return folder / "config.yaml"


def read(folder: Path, **files: str) -> Config:
    return load(put(folder, {f"{name}.yaml": text for name, text in files.items()}), {})


def faults(folder: Path, **files: str) -> list[str]:
    with pytest.raises(ConfigError) as caught:
        read(folder, **files)
    return caught.value.faults


def test_model_lists_are_joined(tmp_path: Path) -> None:
    config = read(tmp_path, config=ONE + "include: [more.yaml]", more=TWO)

    assert list(config.snapshot.groups) == ["a", "b"]


def test_included_files_include_further_ones_from_the_first_files_folder(tmp_path: Path) -> None:
    path = put(
        tmp_path,
        {
            "config.yaml": "include: [sub/one.yaml]",
            "sub/one.yaml": ONE + "include: [sub/two.yaml]",
            "sub/two.yaml": TWO,
        },
    )

    assert [one.group for one in deployments(load(path, {}))] == ["a", "b"]


def test_what_an_included_file_replaces_is_missed(tmp_path: Path) -> None:
    config = read(
        tmp_path,
        config="router_settings: {num_retries: 5}\ninclude: [more.yaml]",
        more="\nrouter_settings: {timeout: 9}",
    )

    assert config.snapshot.num_retries == 1
    (key,) = (one for one in config.report.keys if one.standing is Standing.MISSED)
    assert (key.name, key.places) == ("router_settings", ("config.yaml:1",))
    assert key.why == "the one at more.yaml:2 takes its place"


def test_a_fault_stands_in_the_file_that_has_it(tmp_path: Path) -> None:
    found = faults(
        tmp_path,
        config="include: [more.yaml]\nunderstudy: {server: {port: x}}",
        more="\n\nmodel_list: [{model_name: a, litellm_params: {model: gpt-4, weight: -1}}]",
    )

    assert [fault.split(": ")[0] for fault in found] == ["config.yaml:2", "more.yaml:3"]


@pytest.mark.parametrize("more", ["include: [config.yaml]", "include: [./more.yaml]"])
def test_a_circle_is_refused(tmp_path: Path, more: str) -> None:
    (fault,) = faults(tmp_path, config="include: [more.yaml]", more=more)

    assert fault.startswith("more.yaml:1: include: ")
    assert fault.endswith("includes itself, or is included twice")


@pytest.mark.parametrize(
    ("include", "expected"),
    [
        ("more.yaml", "include: must be a list of files (is 'more.yaml')"),
        ("[5]", "include: must be the name of a file (is 5)"),
        ('["a\\0b"]', "include: must be the name of a file"),
        ("[lost.yaml]", "include: cannot read 'lost.yaml': No such file or directory"),
        ("[.]", "include: cannot read '.': Is a directory"),
    ],
)
def test_an_include_must_be_a_list_of_files_that_are_there(
    tmp_path: Path, include: str, expected: str
) -> None:
    (fault,) = faults(tmp_path, config=f"include: {include}")

    assert fault.startswith(f"config.yaml:1: {expected}")


def test_our_section_stands_in_one_file(tmp_path: Path) -> None:
    (fault,) = faults(
        tmp_path,
        config="include: [more.yaml]\nunderstudy: {server: {port: 1}}",
        more="understudy: {server: {port: 2}}",
    )

    assert fault == (
        "more.yaml:1: understudy: stands at config.yaml:2 already; keep it in one file"
    )


def test_an_included_file_that_is_no_yaml_is_told_with_its_line(tmp_path: Path) -> None:
    assert faults(tmp_path, config="include: [more.yaml]", more="\na: [") == [
        "more.yaml:2: is not YAML: expected the node content, but found '<stream end>'"
    ]


def test_a_parsed_text_alone_includes_nothing() -> None:
    with pytest.raises(ConfigError, match="cannot read 'more'"):
        parse("include: [more]", "config.yaml", {})


def test_a_file_that_cannot_be_read_is_a_fault(tmp_path: Path) -> None:
    (tmp_path / "latin.yaml").write_bytes(b"a: \xff")
    (tmp_path / "large.yaml").write_bytes(b"#" * (LARGEST_FILE + 1))

    for name, reason in (
        ("lost.yaml", "No such file"),
        ("latin.yaml", "it is no UTF-8 text"),
        ("large.yaml", "larger than"),
    ):
        with pytest.raises(ConfigError, match=reason):
            load(tmp_path / name, {})


def test_a_byte_order_mark_is_no_part_of_the_text(tmp_path: Path) -> None:
    (tmp_path / "c.yaml").write_bytes(b"\xef\xbb\xbf" + ONE.encode())

    assert list(load(tmp_path / "c.yaml", {}).snapshot.groups) == ["a"]
