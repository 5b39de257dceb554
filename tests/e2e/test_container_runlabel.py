"""`pod container runlabel`: what a label of an image says, done by pod itself."""

from __future__ import annotations

import shlex

import pytest

from tests.support.engine import Engine


def with_labels(pod: Engine, **labels: str) -> None:
    """An image "other" with these labels."""
    changes = []
    for name, text in labels.items():
        changes += ["--change", f"LABEL {name}={shlex.quote(text)}"]
    pod("import", *changes, "-", "localhost/other:v1", stdin=b"\0" * 10240)


@pytest.mark.not_podman("it forgets --root")
def test_the_command_is_shown_and_run(pod: Engine) -> None:
    with_labels(pod, list="podman ps -a --format {{.Names}}")
    pod("create", "--name", "c", "busybox")
    shown = pod("container", "runlabel", "--display", "list", "other:v1").out
    assert shown.startswith("command: ") and "ps -a --format" in shown
    assert pod("container", "runlabel", "--quiet", "list", "other:v1").lines == ["c"]


@pytest.mark.not_podman("it fills variables in elsewhere")
def test_variables_and_arguments(pod: Engine) -> None:
    with_labels(pod, make='docker create --name "${NAME}" $OPT1 -e A=$NONE busybox echo $IMAGE')
    env = {"OPT1": "--label a=b --hostname host"}
    words = ("container", "runlabel", "--name", "made")
    assert pod(*words, "--display", "make", "other:v1", "x y", env=env).out == (
        "command: pod create --name made --label a=b --hostname host -e A= busybox echo localhost/other:v1 'x y'"
    )
    pod(*words, "make", "other:v1", "x y", env=env)
    template = "{{.Name}} {{.Config.Hostname}} {{json .Config.Cmd}}"
    assert (
        pod("inspect", "-f", template, "made").out
        == 'made host ["echo","localhost/other:v1","x y"]'
    )
    pod(*words, "make", "other:v1", env=env, status=125)  # the name is taken
    pod(*words, "--replace", "make", "other:v1", env=env)
    assert pod("ps", "-a", "--format", "{{.Names}}").lines == ["made"]


@pytest.mark.not_podman("its words are others")
@pytest.mark.parametrize("command", ["ls /", "podman", "podman 'run", "/usr/bin/env pod ps"])
def test_programs_of_the_host_are_not_run(pod: Engine, command: str) -> None:
    pod(
        "import",
        "--change",
        f"LABEL bad={shlex.quote(command)}",
        "-",
        "localhost/other:v1",
        stdin=b"\0" * 10240,
    )
    assert "'bad'" in pod("container", "runlabel", "bad", "other:v1", status=125).stderr


def test_a_label_that_is_not_there(pod: Engine) -> None:
    error = pod("container", "runlabel", "nothing", "busybox", status=125).stderr
    assert "nothing" in error and "busybox" in error


@pytest.mark.not_podman("the status is its own")
def test_the_status_is_that_of_the_command(pod: Engine) -> None:
    with_labels(pod, run="podman run --rm --network none busybox sh -c 'exit 7'")
    assert pod("container", "runlabel", "-q", "run", "other:v1", status=7).out == ""
