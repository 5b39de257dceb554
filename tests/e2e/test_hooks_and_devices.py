"""What files of the host put into a container: hooks of hooks_dir and CDI devices. And descriptors of the caller."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Mapping
from typing import Any

import pytest

from tests.support.checks import one_error
from tests.support.engine import Engine
from tests.support.waiting import until

KINDS = ("prestart", "createRuntime", "createContainer", "startContainer", "poststart", "poststop")


def hook_file(directory: str, name: str, log: str, kind: str, when: Mapping[str, Any]) -> None:
    """A hook that says its kind and what the state says."""
    script = f"s=$(cat); echo {kind} $s | tr -d '\\n' >>{log}; echo >>{log}"
    document = {
        "version": "1.0.0",
        "hook": {"path": "/bin/sh", "args": ["sh", "-c", script], "env": ["PATH=/bin:/usr/bin"]},
        "when": when,
        "stages": [kind],
    }
    with open(f"{directory}/{name}.json", "w") as file:
        json.dump(document, file)


def said(log: str) -> dict[str, Any]:
    with open(log) as file:
        lines = [line.partition(" ") for line in file.read().splitlines()]
    return {kind: json.loads(state) for kind, _, state in lines}


def test_hooks_of_all_kinds_run(pod: Engine, tmp_path: Any) -> None:
    log, hooks = str(tmp_path / "log"), str(tmp_path / "hooks")
    os.mkdir(hooks)
    for number, kind in enumerate(KINDS):
        # In the container, the directory of the log is mounted at the same place.
        hook_file(hooks, f"{number}", log, kind, {"always": True})
    mount = f"{tmp_path}:{tmp_path}"
    pod("--hooks-dir", hooks, "run", "--rm", "--name", "c", "-v", mount, "busybox", "true")
    until(lambda: "poststop" in said(log), "the last hook")
    states = said(log)
    assert set(states) == set(KINDS)
    if pod.kind == "pod":
        assert [states[kind]["status"] for kind in KINDS] == [
            "creating",
            "creating",
            "creating",
            "created",
            "running",
            "stopped",
        ]
    assert states["prestart"]["pid"] > 0


def test_hook_that_fails_keeps_the_container_from_running(pod: Engine, tmp_path: Any) -> None:
    document = {
        "version": "1.0.0",
        "hook": {"path": "/bin/false"},
        "when": {"always": True},
        "stages": ["createRuntime"],
    }
    (tmp_path / "a.json").write_text(json.dumps(document))
    result = pod("--hooks-dir", str(tmp_path), "run", "--rm", "busybox", "true", status=None)
    assert result.status != 0
    if pod.kind == "pod":
        assert one_error(result, hint=False) == (
            "the createRuntime hook '/bin/false' failed with status 1"
        )


@pytest.mark.parametrize(
    "when, runs",
    [
        ({"always": False}, False),
        ({"commands": ["^tr"]}, True),
        ({"commands": ["^x"]}, False),
        ({"annotations": {"^a\\.b$": "^c"}}, True),
        ({"annotations": {"^a\\.b$": "^d"}}, False),
        ({"hasBindMounts": True}, False),
        ({"always": True, "hasBindMounts": True}, False),
    ],
)
def test_conditions_of_hooks(pod: Engine, tmp_path: Any, when: dict[str, Any], runs: bool) -> None:
    log, hooks = str(tmp_path / "log"), str(tmp_path / "hooks")
    os.mkdir(hooks)
    hook_file(hooks, "a", log, "createRuntime", when)
    pod("--hooks-dir", hooks, "run", "--rm", "--annotation", "a.b=cd", "busybox", "true")
    assert os.path.exists(log) == runs


@pytest.mark.not_podman("it says it in its own words")
@pytest.mark.parametrize(
    "text, words",
    [
        ("{", "cannot be used"),
        ('{"version": "1.0.0", "hook": {"path": "x"}}', "must be an absolute path"),
        ('{"version": "9", "hook": {"path": "/x"}, "when": {}, "stages": []}', "has the version"),
    ],
)
def test_broken_hook_is_named(pod: Engine, tmp_path: Any, text: str, words: str) -> None:
    (tmp_path / "a.json").write_text(text)
    result = pod("--hooks-dir", str(tmp_path), "run", "--rm", "busybox", "true", status=125)
    assert f"the hook '{tmp_path}/a.json'" in one_error(result, hint=None)
    assert words in result.stderr


def write_cdi(directory: str, name: str, devices: dict[str, Any], **common: Any) -> None:
    document = {
        "cdiVersion": "0.6.0",
        "kind": "example.com/thing",
        "devices": [{"name": key, "containerEdits": edits} for key, edits in devices.items()],
        "containerEdits": common,
    }
    with open(f"{directory}/{name}", "w") as file:
        json.dump(document, file)


@pytest.mark.not_podman("4.3 looks in /etc/cdi alone")
def test_cdi_device_edits_the_container(pod: Engine, tmp_path: Any) -> None:
    shown, log = tmp_path / "shown", tmp_path / "log"
    shown.write_text("content")
    write_cdi(
        str(tmp_path),
        "a.json",
        {
            "one": {
                "env": ["ONE=1"],
                "deviceNodes": [{"path": "/dev/thing", "hostPath": "/dev/null"}],
                "mounts": [{"hostPath": str(shown), "containerPath": "/shown"}],
                "hooks": [
                    {
                        "hookName": "createContainer",
                        "path": "/bin/sh",
                        "args": ["sh", "-c", f"echo hooked >>{log}"],
                    }
                ],
                "additionalGids": [44],
            },
            "two": {"env": ["TWO=2"]},
        },
        env=["COMMON=yes"],
    )
    script = "echo $COMMON $ONE $TWO; ls -l /dev/thing | cut -c1; cat /shown; echo; id -G"
    out = pod(
        *("--cdi-spec-dir", str(tmp_path), "run", "--rm"),
        *("--device", "example.com/thing=one", "--device", "example.com/thing=two"),
        *("busybox", "sh", "-c", script),
    ).lines
    assert out[:3] == ["yes 1 2", "c", "content"]
    assert "44" in out[3].split()
    assert log.read_text() == "hooked\n"


@pytest.mark.not_podman("4.3 looks in /etc/cdi alone")
def test_unknown_cdi_device_names_the_directories(pod: Engine, tmp_path: Any) -> None:
    first, second = tmp_path / "1", tmp_path / "2"
    first.mkdir()
    write_cdi(str(first), "a.json", {"one": {}})
    (first / "b.json").write_text("{")
    command = ("--cdi-spec-dir", str(first), "--cdi-spec-dir", str(second), "run", "--rm")
    result = pod(*command, "--device", "example.com/thing=x", "busybox", "true", status=125)
    message = one_error(result)
    assert "CDI device 'example.com/thing=x' is not known" in message
    assert f"searched: {first}, {second}" in message
    assert f"'{first}/b.json'" in message
    assert "there are example.com/thing=one" in result.stderr
    result = pod(*command, "--gpus", "all", "busybox", "true", status=125)
    assert "CDI device 'nvidia.com/gpu=all' is not known" in one_error(result)


@pytest.mark.not_podman("4.3 looks in /etc/cdi alone")
def test_later_directory_takes_precedence(pod: Engine, tmp_path: Any) -> None:
    command = []
    for name in ("1", "2"):
        (tmp_path / name).mkdir()
        write_cdi(str(tmp_path / name), "a.json", {"one": {"env": [f"FROM={name}"]}})
        command += ["--cdi-spec-dir", str(tmp_path / name)]
    command += ["run", "--rm", "--device", "example.com/thing=one", "busybox"]
    assert pod(*command, "sh", "-c", "echo $FROM").out == "2"


YAML_DEVICE = """\
# as vendors' tools write it
cdiVersion: "0.6.0"
kind: example.com/thing
devices:
- name: "0"
  containerEdits:
    deviceNodes:
    - path: /dev/thing
      hostPath: /dev/null
      permissions: rw
containerEdits:
  env:
  - COMMON=yes
"""


@pytest.mark.not_podman("4.3 looks in /etc/cdi alone")
def test_cdi_files_in_yaml(pod: Engine, tmp_path: Any) -> None:
    (tmp_path / "a.yaml").write_text(YAML_DEVICE)
    (tmp_path / "broken.yml").write_text("kind: example.com/other\ndevices: [\n")
    command = ("--cdi-spec-dir", str(tmp_path), "run", "--rm", "--network", "none", "--device")
    script = "echo $COMMON; ls -l /dev/thing | cut -c1"
    assert pod(*command, "example.com/thing=0", "busybox", "sh", "-c", script).lines == ["yes", "c"]
    result = pod(*command, "example.com/other=0", "busybox", "true", status=125)
    assert f"'{tmp_path}/broken.yml' (line 3: " in one_error(result)


@pytest.mark.parametrize("command", ["run", "exec"])
def test_descriptors_are_passed_on(pod: Engine, command: str) -> None:
    words = ["run", "--rm", "--preserve-fds", "1", "busybox"]
    if command == "exec":
        pod("run", "-d", "--name", "c", "busybox", "sleep", "1000")
        words = ["exec", "--preserve-fds", "1", "c"]
    read_fd, write_fd = os.pipe()
    done = subprocess.run(
        [
            "bash",
            "-c",
            f'exec "$@" 3>&{write_fd}',
            "bash",
            *pod.full_command(*words),
            "sh",
            "-c",
            "echo x >&3",
        ],
        env=pod.environment,
        pass_fds=[write_fd],
        capture_output=True,
        timeout=60,
    )
    os.close(write_fd)
    assert done.returncode == 0, done
    with open(read_fd) as pipe:
        assert pipe.read() == "x\n"  # to its end: nobody keeps the other side


@pytest.mark.not_podman("4.3 has no --preserve-fd")
def test_descriptors_by_number(pod: Engine) -> None:
    read_fd, write_fd = os.pipe()
    words = pod.full_command(
        "run", "--rm", "--preserve-fd", "9", "busybox", "sh", "-c", "echo x >&9"
    )
    subprocess.run(
        ["bash", "-c", f'exec "$@" 9>&{write_fd}', "sh", *words],
        env=pod.environment,
        pass_fds=[write_fd],
        check=True,
        timeout=60,
    )
    os.close(write_fd)
    with open(read_fd) as pipe:
        assert pipe.read() == "x\n"
    result = pod("run", "--rm", "--preserve-fd", "77", "busybox", "true", status=125)
    assert "descriptor 77 of --preserve-fd is not open" in result.stderr


def test_personality(pod: Engine) -> None:
    plain = pod("run", "--rm", "busybox", "uname", "-m").out
    other = pod("run", "--rm", "--personality", "LINUX32", "busybox", "uname", "-m").out
    assert plain == os.uname().machine
    assert other != plain
