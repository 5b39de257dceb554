"""`auto-update`: newer images for running containers, with and without systemd, and the way back."""

from __future__ import annotations

import ipaddress
import os
from collections.abc import Callable

import pytest

from tests.support.engine import Engine
from tests.support.quadlets import quadlets
from tests.support.registry import Registry
from tests.support.waiting import until

pytestmark = pytest.mark.not_podman("podman updates containers of systemd's units only")

LINE = "{{.ContainerName}} {{.Policy}} {{.Updated}}"
APP = "localhost/app:latest"


def image_with(pod: Engine, name: str, script: str) -> str:
    """Make an image of busybox with what a script has changed; its id."""
    container = pod("create", "--network=none", "busybox", "sh", "-c", script).out
    pod("start", "-a", container)
    pod("commit", "-q", container, name)
    pod("rm", container)
    return pod("inspect", "-f", "{{.Id}}", name).out


def run_app(pod: Engine, name: str, image: str, policy: str, *options: str) -> str:
    label = f"io.containers.autoupdate={policy}"
    words = ("--network=none", "--stop-signal=KILL", "--label", label, *options)
    return pod("run", "-d", "--name", name, *words, image, "sleep", "1d").out


def image_of(pod: Engine, name: str) -> str:
    return pod("inspect", "-f", "{{.Image}}", name).out


def test_a_local_image_that_was_made_anew(pod: Engine) -> None:
    old = image_with(pod, APP, "touch /one")
    run_app(pod, "app", APP, "local", "-e", "A=b", "--hostname", "here")
    run_app(pod, "other", APP, "disabled")
    assert pod("auto-update", "--format", LINE).out == "app local false"
    new = image_with(pod, APP, "touch /two")
    assert pod("auto-update", "--dry-run", "--format", LINE).out == "app local pending"
    assert image_of(pod, "app") == old
    assert pod("auto-update", "--format", LINE).out == "app local true"
    assert image_of(pod, "app") == new
    assert pod("exec", "app", "sh", "-c", "ls /two; echo $A; hostname").lines == [
        "/two",
        "b",
        "here",
    ]
    assert pod("auto-update", "--format", LINE).out == "app local false"
    assert sorted(pod("ps", "-a", "--format", "{{.Names}}").lines) == ["app", "other"]


def test_one_that_does_not_become_healthy_gets_its_image_back(pod: Engine) -> None:
    old = image_with(pod, APP, "touch /good")
    health = (
        "--health-cmd",
        "test -e /good",
        "--health-interval",
        "100ms",
        "--health-retries",
        "1",
    )
    number = run_app(pod, "app", APP, "local", *health)
    image_with(pod, APP, "touch /bad")
    result = pod("auto-update", "--format", LINE, status=125)
    assert result.out == "app local rolled back"
    assert "it is unhealthy" in result.stderr
    assert pod("inspect", "-f", "{{.Id}} {{.State.Status}}", "app").out == f"{number} running"
    assert pod("inspect", "-f", "{{.Id}}", APP).out == old
    assert len(pod.containers()) == 1


def test_the_others_of_an_image_that_went_back_keep_it(pod: Engine) -> None:
    """The name means the old image again: they would be made anew of that, and be called updated."""
    old = image_with(pod, APP, "touch /one")
    check = ("--health-cmd", "test -e /one", "--health-interval", "100ms", "--health-retries", "1")
    run_app(pod, "choosy", APP, "local", *check)
    run_app(pod, "other", APP, "local")
    image_with(pod, APP, "rm -f /one; touch /two")
    made = pod("inspect", "-f", "{{.Id}}", "other").out
    done = pod("auto-update", "--format", LINE, status=125)
    assert done.lines == ["choosy local rolled back", "other local failed"]
    assert f"container 'other' keeps its image '{APP}'" in done.stderr
    assert pod("inspect", "-f", "{{.Id}}", "other").out == made
    assert {image_of(pod, name) for name in ("choosy", "other")} == {old}


def test_two_at_once_update_each_container_once(pod: Engine) -> None:
    image_with(pod, APP, "touch /one")
    names = [f"app{number}" for number in range(4)]
    for name in names:
        run_app(pod, name, APP, "local")
    new = image_with(pod, APP, "touch /two")
    with (
        pod.spawn("auto-update", "--format", "{{.Updated}}") as one,
        pod.spawn("auto-update", "--format", "{{.Updated}}") as other,
    ):
        said = [it.communicate(timeout=120)[0].decode().split() for it in (one, other)]
    assert (one.returncode, other.returncode) == (0, 0)
    assert sorted(said) == [["false"] * 4, ["true"] * 4]
    assert {image_of(pod, name) for name in names} == {new}


def test_an_address_of_its_own_is_kept(pod: Engine) -> None:
    """Also by the old one, when the new one does not become ready."""
    network = pod("network", "create", "--ipv6", "updates").out
    (subnet,) = [
        it["subnet"]
        for it in pod("network", "inspect", network).json()[0]["subnets"]
        if "." in it["subnet"]
    ]
    address = str(ipaddress.ip_network(subnet)[77])
    image_with(pod, APP, "cp /bin/busybox /sleep")
    words = ("--label", "io.containers.autoupdate=local", "--stop-signal=KILL", "--ip", address)
    pod("run", "-d", "--name", "app", "--network", network, *words, APP, "/sleep", "1d")
    shown = (
        "inspect",
        "-f",
        '{{.Image}} {{(index .NetworkSettings.Networks "updates").IPAddress}}',
        "app",
    )
    better = image_with(pod, APP, "cp /bin/busybox /sleep; touch /better")
    assert pod("auto-update", "--format", LINE).out == "app local true"
    assert pod(*shown).out == f"{better} {address}"
    image_with(pod, APP, "touch /no-start")
    assert pod("auto-update", "--format", LINE, status=125).out == "app local rolled back"
    assert pod(*shown).out == f"{better} {address}"
    assert address in pod("exec", "app", "ip", "-o", "address").out
    pod("rm", "-f", "app")
    pod("network", "rm", network)


def test_a_newer_image_in_the_registry(pod: Engine, registry_with: Callable[..., Registry]) -> None:
    registry = registry_with()
    name = f"{registry.host}/app:latest"
    words = ("--tls-verify=false",)
    old = image_with(pod, name, "touch /one")
    pod("push", "-q", *words, name)
    run_app(pod, "app", name, "registry")
    update = ("auto-update", *words, "--format", LINE)
    assert pod(*update).out == "app registry false"
    image_with(pod, name, "touch /two")
    pod("push", "-q", *words, name)
    pod("tag", old, name)
    assert pod(*update, "--dry-run").out == "app registry pending"
    assert image_of(pod, "app") == old
    assert pod(*update).out == "app registry true"
    assert pod("exec", "app", "ls", "/two").out == "/two"
    number = pod.containers()
    registry.close()
    result = pod(*update, status=125)
    assert result.out == "app registry failed"
    assert "container 'app' keeps its image '" in result.stderr
    assert pod("ps", "-q", "--no-trunc").lines == number


def test_a_wrong_label_is_named_and_the_others_are_looked_at(pod: Engine) -> None:
    run_app(pod, "a", "busybox", "sometimes")
    run_app(pod, "b", "busybox", "local")
    result = pod("auto-update", "--format", LINE, status=125)
    assert "of container 'a' is 'sometimes'" in result.stderr
    assert result.out == "b local false"


def test_units_are_restarted_and_go_back(pod: Engine, runtime_directory: str) -> None:
    with quadlets(pod, os.path.join(runtime_directory, "sd")) as files:
        good = image_with(pod, APP, "cp /bin/busybox /sleep")
        files.write(
            "app.container",
            f"[Container]\nImage={APP}\nNetwork=none\nStopSignal=KILL\nAutoUpdate=local\nExec=/sleep 1d\n",
        )
        files.reload()
        files.systemd("start", "app")
        better = image_with(pod, APP, "cp /bin/busybox /sleep; touch /better")
        environment = files.systemd.environment
        line = "{{.Unit}} {{.Updated}}"
        update = ("auto-update", "--format", line)
        assert pod(*update, env=environment).out == "app.service true"
        assert image_of(pod, "systemd-app") == better != good
        image_with(pod, APP, "touch /no-start")
        result = pod(*update, env=environment, status=125)
        assert result.out == "app.service rolled back"
        said = "unit 'app.service' has not started with the new image: Job for app.service failed"
        (line,) = [it for it in result.stderr.splitlines() if said in it]
        assert "\\n" not in line and " See " not in line
        until(lambda: files.systemd("is-active", "app", status=None) == "active", "active")
        assert image_of(pod, "systemd-app") == better
        files.systemd("stop", "app")


def test_the_service_of_a_kube_quadlet(pod: Engine, runtime_directory: str) -> None:
    with quadlets(pod, os.path.join(runtime_directory, "sd")) as files:
        image_with(pod, APP, "cp /bin/busybox /sleep")
        files.write(
            "app.yaml",
            "apiVersion: v1\nkind: Pod\nmetadata: {name: app}\nspec:\n"
            f"  terminationGracePeriodSeconds: 0\n  containers:\n  - name: c\n    image: {APP}\n"
            "    imagePullPolicy: Never\n    command: [/sleep, 1d]\n",
        )
        files.write("app.kube", "[Kube]\nYaml=app.yaml\nNetwork=none\nAutoUpdate=c/local\n")
        files.reload()
        files.systemd("start", "app")
        better = image_with(pod, APP, "cp /bin/busybox /sleep; touch /better")
        environment = files.systemd.environment
        update = ("auto-update", "--format", "{{.Unit}} {{.ContainerName}} {{.Updated}}")
        assert pod(*update, env=environment).out == "app.service app-c true"
        assert image_of(pod, "app-c") == better
        image_with(pod, APP, "touch /no-start")
        result = pod(*update, env=environment, status=125)
        assert result.out == "app.service app-c rolled back"
        assert image_of(pod, "app-c") == better
        files.systemd("stop", "app")
