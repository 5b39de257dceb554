"""`pod completion`: the Tab key in real shells completes commands, options, and names that the engine has."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

import pytest

from tests.support.engine import Engine
from tests.support.terminal import Terminal

pytestmark = pytest.mark.not_podman("its scripts complete the word podman")

SHELLS = {
    "bash": (["/usr/bin/bash", "--norc", "--noprofile", "-i"], "source <(pod completion bash)"),
    "zsh": (
        ["/usr/bin/zsh", "-f", "-i"],
        "autoload -U compinit; compinit -u -D; source <(pod completion zsh)",
    ),
    "fish": (["/usr/bin/fish", "--no-config", "-i"], "pod completion fish | source"),
}


@pytest.fixture
def plain(pod: Engine, tmp_path: Path) -> Mapping[str, str]:
    """An environment in which `pod` without options means the engine of the tests."""
    settings = tmp_path / "storage.conf"
    for name, target in (("root", pod.root), ("runroot", pod.runroot)):
        (tmp_path / name).mkdir()
        (tmp_path / name / "pod").symlink_to(target)
    settings.write_text(
        f'[storage]\ngraphroot = "{tmp_path}/root"\nrunroot = "{tmp_path}/runroot"\n'
    )
    return {
        **pod.environment,
        "PATH": f"{os.path.dirname(pod.command[0])}:{pod.environment['PATH']}",
        "CONTAINERS_STORAGE_CONF": str(settings),
        "XDG_CONFIG_HOME": str(tmp_path / "config"),
        "XDG_DATA_HOME": str(tmp_path / "data"),
        "HISTFILE": "/dev/null",
        "PS1": "$ ",
    }


@pytest.mark.parametrize("shell", SHELLS)
def test_tab_completes(pod: Engine, plain: Mapping[str, str], shell: str) -> None:
    pod("create", "--name", "the-only-one", "busybox")
    command, setup = SHELLS[shell]
    with Terminal(command, plain) as terminal:
        terminal.type(f"{setup}; echo is''ready\r")
        terminal.expect("isready")
        # A command, an option and a name; what is typed is too little for each.
        terminal.type("pod contai\t")
        terminal.expect("container")
        terminal.type("insp\t")
        terminal.expect("inspect")
        terminal.type("--form\t")
        terminal.expect("--format")
        terminal.type("'[{{.Name}}]' the-on\t")
        terminal.expect("the-only-one")
        terminal.type("\r")
        terminal.expect("[the-only-one]")
        terminal.type("exit\r")
        terminal.wait()


def test_images_with_colons_are_completed_in_bash(pod: Engine, plain: Mapping[str, str]) -> None:
    pod("tag", "busybox", "localhost:5000/some/image:1.2")
    command, setup = SHELLS["bash"]
    with Terminal(command, plain) as terminal:
        terminal.type(f"{setup}; echo is''ready\r")
        terminal.expect("isready")
        terminal.type("pod image exists localhost:50\t")
        terminal.expect("localhost:5000/some/image:1.2")
        terminal.type("&& echo it''exists\r")
        terminal.expect("itexists")
        terminal.type("exit\r")
        terminal.wait()


@pytest.mark.parametrize("kind", ["secret", "config"])
@pytest.mark.parametrize("command", ["rm", "inspect"])
def test_names_of_secrets_and_configs_are_completed(pod: Engine, kind: str, command: str) -> None:
    pod(kind, "create", "the-only-one", "-", stdin="x")
    try:
        line = f"pod {' '.join(pod.options)} {kind} {command} the-on"
        found = pod(env={"_POD_COMPLETE": "bash_complete", "COMP_WORDS": line}).lines
        assert found == ["plain,the-only-one"]
    finally:
        pod(kind, "rm", "the-only-one")


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ("up w", ["web", "worker"]),
        ("logs --no-log-prefix wo", ["worker"]),
        ("exec web", ["web"]),
        ("--profile more run d", ["db", "debug"]),
    ],
)
def test_services_of_the_project_are_completed(
    pod: Engine, tmp_path: Path, words: str, expected: list[str]
) -> None:
    file = tmp_path / "my.yaml"
    file.write_text(
        "services: {web: {image: busybox}, worker: {image: busybox}, db: {image: busybox}, "
        "debug: {image: busybox, profiles: [more]}}\n"
    )
    line = f"pod {' '.join(pod.options)} compose -f {file} {words}"
    found = pod(env={"_POD_COMPLETE": "bash_complete", "COMP_WORDS": line}).lines
    assert found == [f"plain,{name}" for name in expected]
