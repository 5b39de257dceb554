"""Flags of `pod compose` and its commands that docker compose has, each by what it changes."""

from __future__ import annotations

import json

import pytest

from tests.support.engine import Engine
from tests.support.projects import Files
from tests.support.waiting import until

pytestmark = pytest.mark.not_podman("podman hands compose over to another program")

SLEEPER = "{image: busybox, command: [sleep, '9999'], init: true}"


def test_compatibility_writes_names_as_version_1_did(compose: Files, pod: Engine) -> None:
    pod.have("busybox")
    compose.write("FROM busybox\n", "src/Dockerfile")
    compose.write(
        f"name: old\nservices:\n  web: {SLEEPER}\n  made: {{build: src, command: 'true'}}\n"
    )
    old = ("--compatibility",)
    compose(*old, "up", "-d")
    assert sorted(compose.state()) == ["old_made_1", "old_web_1"]
    assert compose(*old, "config", "--images").lines == ["busybox", "old_made"]
    assert "keep old_web_1" in compose("--dry-run", "up", env={"COMPOSE_COMPATIBILITY": "1"}).out
    plan = compose("--dry-run", "up", "web").out
    assert plan == "web: recreate old-web-1: it is called old_web_1, which --compatibility changes"
    compose("up", "-d", "web")
    assert compose.state()["old-web-1"] == "running"


def test_all_resources_makes_what_no_service_uses(compose: Files, pod: Engine) -> None:
    pod.have("busybox")
    compose.write(
        f"name: spare\nservices:\n  web: {SLEEPER}\nnetworks: {{extra: {{}}}}\nvolumes: {{kept: {{}}}}\n"
    )
    compose("create")
    assert compose("volumes", "--quiet").lines == []
    compose("--all-resources", "create")
    assert compose("volumes", "--quiet").lines == ["spare_kept"]
    assert pod("network", "exists", "spare_extra").status == 0


def test_up_shows_what_was_named(compose: Files, pod: Engine) -> None:
    pod.have("busybox")
    compose.write(
        """
        name: shown
        services:
          db: {image: busybox, command: [echo, from the database]}
          web:
            image: busybox
            command: [echo, from the web]
            depends_on: {db: {condition: service_completed_successfully}}
        """
    )
    alone = compose("up", "web").out
    assert "from the web" in alone and "from the database" not in alone
    both = compose("up", "--attach-dependencies", "--force-recreate", "web").out
    assert "from the web" in both and "from the database" in both
    error = compose("up", "-d", "--attach-dependencies", status=125).stderr
    assert "--attach-dependencies needs a command that stays" in error


def test_files_are_copied_into_all_containers(compose: Files, pod: Engine) -> None:
    pod.have("busybox")
    compose.write(f"name: copied\nservices:\n  web: {SLEEPER}\n")
    compose("up", "-d", "--scale", "web=2")
    one_off = compose("run", "-d", "web", "sleep", "9999").out
    page = compose.write("hello\n", "page")
    try:
        compose("cp", page, "web:/page")
        for number in ("1", "2"):
            assert compose("exec", "-T", "--index", number, "web", "cat", "/page").out == "hello"
        assert pod("exec", one_off, "cat", "/page", status=None).status != 0
        compose("cp", "--all", page, "web:/page")
        assert pod("exec", one_off, "cat", "/page").out == "hello"
        compose("cp", "--index", "2", page, "web:/second")
        assert compose("exec", "-T", "web", "ls", "/second", status=None).status != 0
        assert "has 2" in compose("cp", "-", "web:/", status=125).stderr
    finally:
        pod("rm", "-f", "-t", "0", one_off)


def test_stats_of_what_does_not_run(compose: Files, pod: Engine) -> None:
    pod.have("busybox")
    compose.write(f"name: idle\nservices:\n  web: {SLEEPER}\n")
    compose("create")
    assert "no container of project 'idle' runs" in compose("stats", status=125).stderr
    shown = compose("stats", "--all", "--no-stream", "--format", "{{.Name}}").out
    assert shown == "idle-web-1"


def test_config_leaves_out_what_it_is_told_to(compose: Files) -> None:
    compose.write("A=1\n", "settings.env")
    compose.write("services:\n  base: {image: busybox, volumes: ['./data:/data']}\n", "base.yaml")
    compose.write(
        """
        name: plain
        services:
          web: {extends: {file: base.yaml, service: base}, build: ., env_file: settings.env}
        volumes: {kept: {}}
        """
    )
    whole = compose("config", "--format", "json").json()
    assert whole["services"]["web"]["build"]["context"] == str(compose.directory)
    assert whole["networks"] == {"default": {"name": "plain_default"}}

    paths = compose("config", "--no-path-resolution", "--format", "json").json()["services"]["web"]
    assert paths["build"]["context"] == "."
    assert paths["volumes"][0]["source"] == "./data"
    assert paths["environment"] == {"A": "1"}

    short = compose("config", "--no-normalize", "--format", "json").json()
    assert "networks" not in short and "networks" not in short["services"]["web"]
    assert short["volumes"] == {"kept": {}}

    more = compose.write("models: {small: {model: ai/small}}\n", "more.yaml")
    files = ("-f", str(compose.directory / "compose.yaml"), "-f", more)
    assert compose(*files, "config", "--models").lines == ["small"]
    whole = compose(*files, "config", "--format", "json").json()
    assert whole["models"] == {"small": {"model": "ai/small"}}


def test_build_flags(compose: Files, pod: Engine) -> None:
    pod.have("busybox")
    compose.write(
        "FROM busybox\nRUN cat /sys/fs/cgroup/memory.max > /limit || true\n", "src/Dockerfile"
    )
    compose.write(
        """
        name: flags
        services:
          web: {build: {context: src, args: {A: "1"}, target: ""}, command: cat /limit}
          db: {image: busybox}
        """
    )
    shown = compose("build", "--print", "--build-arg", "B=2").json()
    assert shown["group"] == {"default": {"targets": ["web"]}}
    assert shown["target"]["web"] == {
        "context": str(compose.directory / "src"),
        "args": {"A": "1", "B": "2"},
        "tags": ["localhost/flags-web:latest"],
        "output": ["type=docker"],
    }
    compose("build", "--check")
    assert pod("image", "exists", "flags-web", status=None).status != 0
    built = compose("build", "--memory", "64m", "--provenance=false", "--builder", "default")
    limit = compose("run", "--rm", "-T", "web").out
    # Where nobody has delegated the controller, what was asked for is said to have no effect.
    assert limit == str(64 << 20) or "limit memory.max of commands is not applied" in built.stderr
    assert "pod makes no lists" in compose("build", "--sbom", "true", status=125).stderr

    compose.write("FROM busybox as one\nFROM one\nMAINTAINER me\n", "src/Dockerfile")
    checked = compose("build", "--check", status=1)
    assert "MaintainerDeprecated" in checked.stderr


def test_a_build_gets_the_keys_that_are_named(compose: Files) -> None:
    compose.write("FROM busybox\n", "src/Dockerfile")
    key = compose.write("no key\n", "key")
    compose.write("name: keys\nservices:\n  web: {build: src}\n")
    shown = compose("build", "--print", "--ssh", f"deploy={key}").json()
    assert shown["target"]["web"]["ssh"] == [f"deploy={key}"]


def test_variables_say_what_options_do(compose: Files, pod: Engine) -> None:
    pod.have("busybox")
    compose.write(f"name: said\nservices:\n  web: {SLEEPER}\n  gone: {SLEEPER}\n")
    told = compose("up", "-d", env={"COMPOSE_PROGRESS": "json"}).stderr
    assert {"id": "Container said-web-1", "status": "Started"} in [
        json.loads(line) for line in told.splitlines()
    ]
    compose.write(f"name: said\nservices:\n  web: {SLEEPER}\n")
    quiet = {"COMPOSE_IGNORE_ORPHANS": "1", "COMPOSE_PARALLEL_LIMIT": "1"}
    assert "said-gone-1" in compose("up", "-d").stderr
    assert "said-gone-1" not in compose("up", "-d", env=quiet).stderr
    moved = {"COMPOSE_REMOVE_ORPHANS": "true", "COMPOSE_STATUS_STDOUT": "1"}
    assert "Container said-gone-1  Removed" in compose("up", "-d", env=moved).out
    assert list(compose.state()) == ["said-web-1"]
    error = compose("up", "-d", env={"COMPOSE_PROGRESS": "loud"}, status=125).stderr
    assert "COMPOSE_PROGRESS=loud is not understood" in error


def test_orphans_are_removed_by_kill_and_run(compose: Files, pod: Engine) -> None:
    pod.have("busybox")
    both = f"name: alone\nservices:\n  web: {SLEEPER}\n  gone: {SLEEPER}\n"
    one = f"name: alone\nservices:\n  web: {SLEEPER}\n"
    compose.write(both)
    compose("up", "-d")
    compose.write(one)
    assert compose("run", "--rm", "-T", "--remove-orphans", "web", "echo", "ran").out == "ran"
    assert list(compose.state()) == ["alone-web-1"]
    compose.write(both)
    compose("up", "-d")
    compose.write(one)
    compose("kill", "--remove-orphans", "web")
    until(lambda: compose.state() == {"alone-web-1": "exited"}, "the end")


def test_lists_are_filtered_and_formatted(compose: Files, pod: Engine) -> None:
    pod.have("busybox")
    compose.write(
        f"name: listed\nservices:\n  web: {SLEEPER}\n  job: {{image: busybox, command: 'false'}}\n"
    )
    compose("up", "-d")
    compose("wait", "job", status=1)
    form = ("--format", "{{.Name}} {{.State}}")
    assert compose("ps", *form).lines == ["listed-web-1 running"]
    assert compose("ps", "--status", "exited", *form).lines == ["listed-job-1 exited"]
    assert compose("ps", "--filter", "status=exited", *form).lines == ["listed-job-1 exited"]
    assert "expected is one of" in compose("ps", "--status", "odd", status=125).stderr
    assert len(compose("ps", "--quiet", "--no-trunc").out) == 64
    compose.write(f"name: listed\nservices:\n  job: {SLEEPER}\n")
    assert compose("ps", "--orphans=false", *form).lines == []
    assert compose("ps", *form).lines == ["listed-web-1 running"]
    images = compose("images", "--format", "{{.Container}} {{.Repository}}", "job").out
    assert images.startswith("listed-job-1 ") and images.endswith("busybox")
    names = ("--all", "--quiet", "--filter")
    assert compose("ls", *names, "name=liste").lines == ["listed"]
    assert compose("ls", *names, "name=other").lines == []


def test_a_command_of_run_gets_what_it_is_given(compose: Files, pod: Engine) -> None:
    pod.have("busybox")
    compose.write("B=2\n", "more.env")
    compose.write(
        """
        name: given
        services:
          db: {image: busybox, command: [sleep, '9999'], init: true}
          web: {image: busybox, depends_on: [db], entrypoint: [echo, entry]}
        """
    )
    words = (
        "-e", "A=1", "--env-from-file", str(compose.directory / "more.env"), "-u", "1000", "-w", "/tmp",
        "--entrypoint", "sh -c", "-l", "who=me", "-v", f"{compose.directory}:/here:ro", "--cap-drop", "all",
    )  # fmt: skip
    script = "echo $A $B $(id -u) $PWD $(grep -q ' /here ' /proc/mounts && echo there)"
    out = compose("run", "--rm", "-T", "--no-deps", *words, "web", script).out
    assert out == "1 2 1000 /tmp there"
    assert compose("ps", "--all", "--quiet").lines == []
    compose("run", "-d", "--name", "one-off", "-l", "who=me", "web", "sleep", "9")
    assert pod("inspect", "--format", '{{index .Config.Labels "who"}}', "one-off").out == "me"
    assert compose.state()["given-db-1"] == "running"
    compose("rm", "--all", "--stop", "--force")
    assert compose("ps", "--all", "--quiet").lines == []


def test_wait_takes_the_project_down(compose: Files, pod: Engine) -> None:
    pod.have("busybox")
    compose.write(
        f"name: ended\nservices:\n  web: {SLEEPER}\n  job: {{image: busybox, command: [sh, -c, exit 3]}}\n"
    )
    compose("up", "-d")
    assert "exited with status code 3" in compose("wait", "job", status=3).out
    # One that has ended before is as good.
    compose("wait", "--down-project", "job", status=3)
    assert compose("ps", "--all", "--quiet").lines == []
    assert "runs or has ended" in compose("wait", "job", status=125).stderr
