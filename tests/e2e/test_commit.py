"""`pod commit`: what a container has become, as an image."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.test_killed import killed
from tests.support.checks import nothing_wrong, one_error
from tests.support.engine import Engine


def make(pod: Engine, script: str, *options: str, name: str = "c") -> None:
    pod("run", "--name", name, "--network", "none", *options, "busybox", "sh", "-c", script)


def config(pod: Engine, image: str) -> dict[str, Any]:
    found: dict[str, Any] = pod("image", "inspect", image).json()[0]["Config"]
    return found


def layers(pod: Engine, image: str) -> list[str]:
    found: list[str] = pod("image", "inspect", image).json()[0]["RootFS"]["Layers"]
    return found


def run(pod: Engine, *words: str) -> str:
    return pod("run", "--rm", "--network", "none", *words).out


CHANGE = "mkdir /new && echo x > /new/f && chown 7:8 /new/f && rm /bin/ls && rm -r /var/log"


@pytest.mark.parametrize("squash", [False, True], ids=["a layer more", "one layer"])
def test_image_runs_and_has_the_changes(pod: Engine, squash: bool, tmp_path: Path) -> None:
    make(pod, CHANGE, "-v", "data:/data")
    number = pod("commit", "-q", *(["--squash"] if squash else []), "c", "made").out
    assert len(number) == 64
    assert len(layers(pod, "localhost/made")) == (1 if squash else 2)
    script = "cat /new/f; stat -c %u:%g /new/f; [ -e /bin/ls ] || [ -e /var/log ] || echo gone"
    assert run(pod, "made", "sh", "-c", script) == "x\n7:8\ngone"
    path = str(tmp_path / "made.tar")
    pod("save", "-q", "-o", path, "made")
    pod("rmi", "made")
    pod("load", "-q", "-i", path)
    assert run(pod, "made", "cat", "/new/f") == "x"


def test_configuration_is_the_containers(pod: Engine) -> None:
    options = (
        "-e",
        "A=1",
        "-l",
        "color=red",
        "-w",
        "/tmp",
        "--user",
        "3:4",
        "--entrypoint",
        "echo",
    )
    pod(
        "create",
        "--name",
        "c",
        "-p",
        "127.0.0.1::80",
        "--stop-signal",
        "USR1",
        *options,
        "busybox",
        "hello",
    )
    pod("commit", "-q", "c", "made")
    found = config(pod, "made")
    assert "A=1" in found["Env"]
    assert any(entry.startswith("PATH=") for entry in found["Env"])
    assert found["Entrypoint"] == ["echo"]
    assert found["Cmd"] == ["hello"]
    assert (found["User"], found["WorkingDir"]) == ("3:4", "/tmp")
    assert found["Labels"]["color"] == "red"
    assert "80/tcp" in found["ExposedPorts"]
    assert run(pod, "made") == "hello"
    if pod.kind == "pod":
        assert not [
            entry for entry in found["Env"] if entry.startswith(("HOSTNAME=", "container="))
        ]


def test_changes(pod: Engine) -> None:
    make(pod, "true")
    changes = {
        "CMD": '["echo", "hi"]', "ENV": "B=2", "EXPOSE": "81/udp", "LABEL": "k=v", "STOPSIGNAL": "SIGINT",
        "USER": "9", "VOLUME": "/vol", "WORKDIR": "/srv", "ONBUILD": "RUN true",
    }  # fmt: skip
    words = [word for key, value in changes.items() for word in ("--change", f"{key} {value}")]
    # Docker's format, since podman keeps ONBUILD only there.
    words += ["--format", "docker", "--author", "me", "--message", "why", "--include-volumes"]
    pod("commit", "-q", *words, "c", "made")
    found = config(pod, "made")
    assert found["Cmd"] == ["echo", "hi"]
    assert "B=2" in found["Env"]
    assert (found["User"], found["WorkingDir"]) == ("9", "/srv")
    assert found["StopSignal"] in {"SIGINT", "2"}
    assert found["Labels"]["k"] == "v"
    assert "81/udp" in found["ExposedPorts"]
    assert "/vol" in found["Volumes"]
    document = pod("image", "inspect", "made").json()[0]
    assert document["Author"] == "me"
    assert document["ManifestType"].startswith("application/vnd.docker.")
    assert document["Comment"].startswith("why")


@pytest.mark.not_podman("version 4.3 has neither")
def test_health_check_and_config_file(pod: Engine, tmp_path: Path) -> None:
    make(pod, "true")
    path = tmp_path / "config.json"
    path.write_text(json.dumps({"Cmd": ["echo", "file"], "User": "5", "Nonsense": 1}))
    result = pod(
        "commit", "--config", str(path), "--change", "USER 6", "-c", "HEALTHCHECK CMD true",
        "-c", 'SHELL ["/bin/ash", "-c"]', "-c", "ENTRYPOINT ls", "c", "made"
    )  # fmt: skip
    found = config(pod, "made")
    assert (found["Cmd"], found["User"]) == (["echo", "file"], "6")
    assert found["Healthcheck"]["Test"] == ["CMD-SHELL", "true"]
    assert found["Entrypoint"] == ["/bin/ash", "-c", "ls"] and found["Shell"] == ["/bin/ash", "-c"]
    assert "Nonsense" in result.stderr
    path.write_text('{"Cmd": "x"}')
    assert "Cmd" in one_error(pod("commit", "--config", str(path), "c", status=125), hint=None)


def test_nothing_is_made_of_bad_words(pod: Engine) -> None:
    make(pod, "true")
    before = pod("images", "-a", "-q").lines
    for words in (["--change", "NONSENSE x"], ["--format", "zip"]):
        one_error(pod("commit", *words, "c", "made", status=125), hint=None)
    one_error(pod("commit", "c", "UPPER:a:b", status=125), hint=None)
    one_error(pod("commit", "nothing", status=125), hint=None)
    assert pod("images", "-a", "-q").lines == before


def test_without_a_name_and_with_an_id_file(pod: Engine, tmp_path: Path) -> None:
    make(pod, "touch /a")
    path = tmp_path / "id"
    number = pod("commit", "-q", "--iidfile", str(path), "c").out
    assert path.read_text().removeprefix("sha256:") == number
    assert run(pod, number, "ls", "/a") == "/a"


@pytest.mark.not_podman("version 4.3 cannot pause without a cgroup of its own")
def test_running_container_goes_on(pod: Engine) -> None:
    pod(
        "run",
        "-d",
        "--name",
        "c",
        "--network",
        "none",
        "busybox",
        "sh",
        "-c",
        "touch /a; sleep 1000",
    )
    pod("exec", "c", "sh", "-c", "until [ -e /a ]; do :; done")
    pod("commit", "-q", "--pause", "c", "made")
    assert pod("inspect", "--format", "{{.State.Status}}", "c").out == "running"
    assert run(pod, "made", "ls", "/a") == "/a"


@pytest.mark.not_podman("version 4.3 has no --no-pause")
def test_without_pause_it_runs_on(pod: Engine) -> None:
    pod("run", "-d", "--name", "c", "--network", "none", "busybox", "sleep", "1000")
    number = pod("inspect", "-f", "{{.Id}}", "c").out

    def told() -> list[str]:
        words = ("--stream=false", "--since", "0", "--filter", f"container={number}")
        return pod("events", *words, "--format", "{{.Status}}").lines

    for options, pauses in (["--no-pause"], False), (["--pause=false"], False), (["--pause"], True):
        before = told().count("pause")
        pod("commit", "-q", *options, "c")
        assert told().count("pause") - before == pauses
        assert told().count("unpause") == told().count("pause")
    assert (
        "--pause and --no-pause" in pod("commit", "--pause", "--no-pause", "c", status=125).stderr
    )


@pytest.mark.not_podman("version 4.3 keeps the mount points, which are made anew")
def test_same_layer_again_and_of_another_id_map(pod: Engine) -> None:
    make(pod, CHANGE)
    numbers = [pod("commit", "c").out for _ in range(2)]
    assert layers(pod, numbers[0]) == layers(pod, numbers[1])
    for userns in ("nomap", "keep-id", "auto"):
        make(pod, CHANGE, "--userns", userns, "--user", "0", name=userns)
        image = pod("commit", userns).out
        assert run(pod, image, "sh", "-c", "stat -c %u:%g /new/f /bin/busybox") == "7:8\n0:0"


@pytest.mark.not_podman("it does not warn")
def test_secrets_are_named(pod: Engine) -> None:
    script = "mkdir -p /root/.ssh && touch /root/.ssh/id_rsa /root/.ssh/id_rsa.pub /a.key"
    make(pod, script, "-e", "DB_PASSWORD=x", "-e", "DB_PASSWORD_FILE=/run/x", "-e", "FINE=1")
    warned = pod("commit", "c", "made").stderr
    assert len(warned.splitlines()) == 3
    for name in ("DB_PASSWORD'", "/root/.ssh/id_rsa'", "/a.key'"):
        assert name in warned
    assert pod("commit", "--change", "ENV DB_PASSWORD=", "c").stderr.count("id_rsa") == 1


@pytest.mark.not_podman("it explains nothing")
def test_what_would_be_in_the_image_is_explained(pod: Engine) -> None:
    make(pod, "mkdir /made && touch /made/a.key && rm /bin/vi", "-e", "DB_PASSWORD=x")
    before = pod("images", "-a", "-q").lines
    told = pod("commit", "--explain", "c")
    assert {"A /made", "A /made/a.key", "D /bin/vi"} <= set(told.lines)
    assert "'DB_PASSWORD'" in told.stderr and "'/made/a.key'" in told.stderr
    assert "DB_PASSWORD" not in pod("commit", "--explain", "-c", "ENV DB_PASSWORD=", "c").stderr
    assert pod("images", "-a", "-q").lines == before


def test_secret_is_not_in_the_image(pod: Engine, tmp_path: Path) -> None:
    (tmp_path / "s").write_text("sesame")
    pod("secret", "create", "door", str(tmp_path / "s"))
    try:
        options = ("--secret", "door", "--secret", "door,type=env,target=WORD")
        make(pod, "cat /run/secrets/door; cp /run/secrets/door /dev/null; touch /a", *options)
        pod("commit", "-q", "c", "made")
        path = str(tmp_path / "made.tar")
        pod("save", "-q", "-o", path, "made")
        assert b"sesame" not in Path(path).read_bytes()
        assert (
            run(pod, "made", "sh", "-c", "cat /run/secrets/door 2>/dev/null; echo $WORD; ls /a")
            == "/a"
        )
    finally:
        pod("rm", "-f", "c")
        pod("secret", "rm", "door")


@pytest.mark.not_podman("version 4.3 says something else")
def test_root_directory_of_the_host_has_no_layers(pod: Engine, tmp_path: Path) -> None:
    (tmp_path / "bin").mkdir()
    pod("create", "--name", "c", "--rootfs", str(tmp_path), "/bin/x")
    assert "no layers" in one_error(pod("commit", "c", status=125))


@pytest.mark.not_podman("its steps have no names at which it could be killed")
def test_killed_in_the_middle(pod: Engine) -> None:
    before = pod("images", "-a", "-q").lines
    for number, step in enumerate(("blob: named", "layer: placed", "image: ready")):
        name = f"c{number}"  # with a layer of its own, which is not there already
        make(pod, f"echo {step} > /a", name=name)
        killed(pod, step, "commit", name, "made")
        assert pod("images", "-a", "-q").lines == before, step
        nothing_wrong(pod, max_age="24h", after=step)
    pod("commit", name, "made")
    assert run(pod, "made", "cat", "/a") == step
