"""Quadlets: from files to services that a real systemd of the user runs."""

from __future__ import annotations

import os
import socket
import subprocess
import threading
from collections.abc import Generator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from tests.support.engine import Engine
from tests.support.quadlets import Quadlets, quadlets
from tests.support.systemd import user_manager
from tests.support.waiting import until

pytestmark = pytest.mark.not_podman("the generator of Debian's podman 4.3 does not exist yet")

WEB = """
[Unit]
Description=A test

[Container]
Image=busybox
Network=none
StopSignal=KILL
Environment=A=b "C=d e$$f"
Volume=data.volume:/data
Exec=sh -c "echo $$A > /data/a; echo $$C; sleep 1d"

[Install]
WantedBy=default.target
"""


@pytest.fixture
def files(pod: Engine, runtime_directory: str) -> Generator[Quadlets]:
    with quadlets(pod, os.path.join(runtime_directory, "sd")) as started:
        yield started


def state(pod: Engine, name: str) -> str:
    return pod("inspect", "-f", "{{.State.Status}}", name, status=None).out


def test_a_service_from_files(pod: Engine, files: Quadlets) -> None:
    files.write("web.container", WEB)
    files.write("data.volume", "[Volume]\nLabel=a=b\n")
    files.reload()
    systemd = files.systemd
    assert systemd("is-enabled", "web.service") == "generated"
    assert (
        systemd("list-dependencies", "--plain", "default.target").split().count("web.service") == 1
    )
    systemd("start", "web")
    assert state(pod, "systemd-web") == "running"
    assert pod("volume", "inspect", "-f", "{{.Labels.a}}", "systemd-data").out == "b"
    until(lambda: pod("logs", "systemd-web").out == "d e$f", "the output")
    monitor, inside = pod(
        "inspect", "-f", "{{.State.ConmonPid}} {{.State.Pid}}", "systemd-web"
    ).out.split()
    assert systemd.show("web", "MainPID") == monitor
    assert {int(monitor), int(inside)} <= systemd.processes("web")
    systemd("restart", "web")
    assert state(pod, "systemd-web") == "running"
    assert systemd.show("web", "MainPID") not in {monitor, "0"}
    systemd("stop", "web")
    assert pod.containers() == []
    assert systemd("is-active", "web", status=3) == "inactive"
    assert systemd("is-active", "data-volume") == "active"


def test_a_pod_and_its_containers(pod: Engine, files: Quadlets) -> None:
    files.write("p.pod", "[Pod]\nNetwork=none\n")
    for name in ("a", "b"):
        files.write(
            f"{name}.container",
            "[Container]\nImage=busybox\nStopSignal=KILL\nPod=p.pod\nExec=sleep 1d\n",
        )
    files.reload()
    files.systemd("start", "p-pod")
    for name in ("a", "b"):
        until(lambda name=name: state(pod, f"systemd-{name}") == "running", f"{name} running")  # type: ignore[misc]
    assert pod("ps", "--format", "{{.PodName}}").lines.count("systemd-p") == 3
    files.systemd("stop", "p-pod")
    for unit in ("a", "b", "p-pod"):
        until(
            lambda unit=unit: files.systemd("is-active", unit, status=None) == "inactive",  # type: ignore[misc]
            f"{unit} inactive",
        )
    assert pod.containers() == []


def test_why_a_service_has_not_started_is_in_its_log(pod: Engine, files: Quadlets) -> None:
    """Also where it is the monitor that finds out, with which systemd ends all that is in the unit."""
    for name, line in (
        ("program", "Exec=/no/such/program"),
        ("image", "Image=localhost/none-such\nPull=never"),
        ("secret", "Secret=none-such"),
        ("directory", "WorkingDir=/etc/passwd"),
    ):
        files.write(f"{name}.container", f"[Container]\nImage=busybox\nNetwork=none\n{line}\n")
    files.reload()
    for name, sentence, status in (
        ("program", "/no/such/program", "127"),
        ("image", "image 'localhost/none-such' is not here", "125"),
        ("secret", "no secret has the name or id 'none-such'", "125"),
        ("directory", "/etc/passwd", "125"),
    ):
        files.systemd("start", name, status=1)
        assert sentence in files.systemd.log()
        assert files.systemd.show(name, "ExecMainStatus") == status
    assert pod.containers() == []


def test_documents_of_kubernetes(pod: Engine, files: Quadlets) -> None:
    files.write(
        "docs.yaml",
        "apiVersion: v1\nkind: Pod\nmetadata: {name: docs}\nspec:\n"
        "  terminationGracePeriodSeconds: 0\n  containers:\n  - name: c\n    image: busybox\n"
        "    imagePullPolicy: Never\n    command: [sleep, 1d]\n",
    )
    files.write("k.kube", "[Kube]\nYaml=docs.yaml\nNetwork=none\n")
    files.reload()
    files.systemd("start", "k")
    assert files.systemd("is-active", "k") == "active"
    assert state(pod, "docs-c") == "running"
    files.systemd("stop", "k")
    assert files.systemd("is-active", "k", status=3) == "inactive"
    assert pod.containers() == []


def test_instances_of_a_template(pod: Engine, files: Quadlets) -> None:
    files.write(
        "t@.container",
        "[Container]\nImage=busybox\nNetwork=none\nStopSignal=KILL\nExec=sh -c 'echo %i; sleep 1d'\n"
        "[Install]\nWantedBy=default.target\nDefaultInstance=one\n",
    )
    os.symlink("t@.container", os.path.join(files.directory, "t@two.container"))
    files.write("t@two.container.d/a.conf", "[Container]\nEnvironment=EXTRA=yes\n")
    files.reload()
    files.systemd("start", "t@one", "t@two")
    for name in ("one", "two"):
        until(lambda name=name: pod("logs", f"systemd-t_{name}").out == name, "its output")  # type: ignore[misc]
    variables = pod("inspect", "-f", "{{.Config.Env}}", "systemd-t_two").out
    assert "EXTRA=yes" in variables
    links = files.systemd("show", "--value", "-p", "Wants", "default.target").split()
    assert "t@one.service" in links
    files.systemd("stop", "t@one", "t@two")


def test_an_instance_starts_with_what_names_it(pod: Engine, files: Quadlets) -> None:
    files.write("v@.volume", "[Volume]\n")
    text = "[Container]\nImage=busybox\nNetwork=none\nStopSignal=KILL\nExec=sleep 1d\n"
    files.write("t@.container", f"{text}Volume=v@%i.volume:/v\n")
    files.write("c.container", f"[Unit]\nBindsTo=t@one.container\nAfter=t@one.container\n{text}")
    files.reload()
    files.systemd("start", "c")
    assert (state(pod, "systemd-c"), state(pod, "systemd-t_one")) == ("running", "running")
    assert pod("volume", "ls", "-q").lines == ["systemd-v_one"]
    files.systemd("stop", "t@one")
    until(lambda: pod.containers() == [], "the end of both")


def test_a_wrong_file_leaves_the_others(pod: Engine, files: Quadlets) -> None:
    files.write("web.container", WEB.replace("Volume=data.volume:/data\n", ""))
    wrong = files.write("wrong.container", "[Container]\nImage=busybox\nImge=x\n")
    files.reload()
    assert files.systemd("show", "-p", "LoadState", "--value", "wrong") == "not-found"
    assert files.systemd("show", "-p", "LoadState", "--value", "web") == "loaded"
    done = files.dry_run()
    assert done.returncode == 1
    assert f"{wrong}:3: Imge=: is no key of [Container], did you mean 'Image'?" in done.stderr
    assert "---web.service---" in done.stdout


def test_install_list_print_and_remove(pod: Engine, files: Quadlets, tmp_path: Path) -> None:
    source = tmp_path / "shop"
    source.mkdir()
    (source / "web.container").write_text(WEB)
    (source / "data.volume").write_text("[Volume]\n")
    (source / "settings").mkdir()
    (source / "settings" / "web").write_text("a=b\n")
    environment = files.systemd.environment
    printed = pod("quadlet", "install", str(source), env=environment).lines
    top = f"{environment['XDG_CONFIG_HOME']}/containers/systemd/shop"
    assert printed == [f"{top}/{name}" for name in ("data.volume", "settings/web", "web.container")]
    message = pod("quadlet", "install", str(source), env=environment, status=125).stderr
    assert "is there already" in message
    pod("quadlet", "install", "--replace", str(source), env=environment)
    files.systemd("start", "web")
    line = "{{.Name}} {{.UnitName}} {{.Status}} {{.App}}"
    assert pod("quadlet", "list", "--format", line, env=environment).lines == [
        "data.volume data-volume.service active/exited shop",
        "web.container web.service active/running shop",
    ]
    shown = pod("quadlet", "ls", "--filter", "name=w*", "--format", "json", env=environment).json()
    assert [it["Path"] for it in shown] == [f"{top}/web.container"]
    assert pod("quadlet", "print", "web.container", env=environment).stdout == WEB
    assert "is running" in pod("quadlet", "rm", "shop", env=environment, status=125).stderr
    pod("quadlet", "rm", "-f", "shop", env=environment)
    assert not os.path.exists(top)
    assert files.systemd.show("web", "LoadState") == "not-found"
    assert pod.containers() == []
    assert "no quadlet 'shop'" in pod("quadlet", "rm", "shop", env=environment, status=125).stderr
    pod("quadlet", "rm", "-i", "shop", env=environment)


def test_what_is_wrong_is_not_installed(pod: Engine, files: Quadlets, tmp_path: Path) -> None:
    wrong = tmp_path / "web.container"
    wrong.write_text(WEB)
    environment = files.systemd.environment
    message = pod("quadlet", "install", str(wrong), env=environment, status=125).stderr
    assert f"{wrong}:10: Volume=: there is no quadlet 'data.volume'" in message
    assert pod("quadlet", "list", "--format", "{{.Name}}", env=environment).out == ""
    (tmp_path / "other").mkdir()
    for path in (tmp_path / "a.volume", tmp_path / "other" / "a.volume"):
        path.write_text("[Volume]\n")
    for text, name in (
        ("# FileName=a\n[Volume]\n---\n# FileName=a\n[Volume]\n", "twice"),
        ("# FileName=a\n[Bottle]\n", "kind"),
        ("# FileName=../a\n[Volume]\n", "above"),
    ):
        (tmp_path / f"{name}.quadlets").write_text(text)
    for words, sentence in (
        (["/etc/passwd"], "'/etc/passwd' is no quadlet"),
        (["a.volume", "other/a.volume"], "'other/a.volume' has a file 'a.volume', too"),
        (["twice.quadlets"], "there are two quadlets 'a.volume' in 'twice.quadlets'"),
        (["kind.quadlets"], "'a', in 'kind.quadlets', has no section that a quadlet has"),
        (["above.quadlets"], "'../a', in 'above.quadlets', is not the name of a quadlet"),
        (["ftp://host/a.volume"], "addresses begin with http:// or https://"),
    ):
        failed = pod("quadlet", "install", *words, env=environment, cwd=str(tmp_path), status=125)
        assert sentence in failed.stderr
    assert pod("quadlet", "list", "--format", "{{.Name}}", env=environment).out == ""


def test_several_quadlets_in_one_file(pod: Engine, files: Quadlets, tmp_path: Path) -> None:
    both = tmp_path / "both.quadlets"
    both.write_text(f"# FileName=web\n{WEB}---\n# FileName=data\n[Volume]\n")
    environment = files.systemd.environment
    pod("quadlet", "install", str(both), env=environment)
    names = pod("quadlet", "list", "--format", "{{.Name}}", env=environment).lines
    assert names == ["data.volume", "web.container"]


def test_without_root_the_services_are_written(
    pod: Engine, runtime_directory: str, tmp_path: Path
) -> None:
    """Nobody has put the generator where systemd looks for it."""
    with user_manager(pod, os.path.join(runtime_directory, "sd")) as systemd:
        environment = systemd.environment
        source = tmp_path / "web.container"
        source.write_text(WEB.replace("Volume=data.volume:/data\n", "").replace("> /data/a", ""))
        pod("quadlet", "install", str(source), env=environment)
        systemd("start", "web")
        assert state(pod, "systemd-web") == "running"
        wanted = systemd.show("default.target", "Wants").split()
        assert "web.service" in wanted
        pod("quadlet", "rm", "-f", "web.container", env=environment)
        assert systemd.show("web", "LoadState") == "not-found"
        assert pod.containers() == []


def test_a_built_image_a_task_and_one_that_is_healthy(pod: Engine, files: Quadlets) -> None:
    files.write("ctx/Containerfile", "FROM busybox\nCOPY word /word\n")
    files.write("ctx/word", "built\n")
    files.write("b.build", "[Build]\nImageTag=localhost/quadlet-built\nFile=ctx/Containerfile\n")
    files.write(
        "task.container",
        "[Container]\nImage=b.build\nNetwork=none\nVolume=out.volume:/out\nExec=cp /word /out/word\n"
        "[Service]\nType=oneshot\nRemainAfterExit=yes\n",
    )
    files.write("out.volume", "[Volume]\n")
    files.write(
        "app.container",
        "[Unit]\nRequires=task.container\nAfter=task.container\n"
        "[Container]\nImage=busybox\nNetwork=none\nStopSignal=KILL\nVolume=out.volume:/out\n"
        "Exec=sh -c 'cp /out/word /ready; sleep 1d'\n"
        "HealthCmd=test -e /ready\nHealthInterval=100ms\nNotify=healthy\n",
    )
    files.reload()
    files.systemd("start", "app")
    assert pod("exec", "systemd-app", "cat", "/ready").out == "built"
    assert pod("inspect", "-f", "{{.State.Health.Status}}", "systemd-app").out == "healthy"
    assert files.systemd("is-active", "task") == "active"
    files.systemd("stop", "app")
    pod("rmi", "localhost/quadlet-built")


def test_a_connection_starts_an_instance_that_answers_it(pod: Engine, files: Quadlets) -> None:
    """Socket activation: systemd accepts, and the container has the connection as descriptor 3."""
    address = os.path.join(files.systemd.environment["XDG_RUNTIME_DIR"], "web")
    files.systemd.write("web.socket", f"[Socket]\nListenStream={address}\nAccept=yes\n")
    script = (
        'echo $LISTEN_FDS $LISTEN_PID; echo "<p>well" > /tmp/index.html; httpd -i -h /tmp <&3 >&3'
    )
    files.write(
        "web@.container",
        f"[Container]\nImage=busybox\nNetwork=none\nExec=sh -c '{script.replace('$', '$$')}'\n",
    )
    files.reload()
    files.systemd("start", "web.socket")
    for _ in range(2):
        with socket.socket(socket.AF_UNIX) as client:
            client.settimeout(60)
            client.connect(address)
            client.sendall(b"GET / HTTP/1.0\r\n\r\n")
            answer = b"".join(iter(lambda: client.recv(4096), b""))
        assert answer.startswith(b"HTTP/1.1 200") and answer.endswith(b"<p>well\n")
    files.systemd("stop", "web.socket")
    until(lambda: pod.containers() == [], "the end of both")


def test_a_listener_of_systemd_is_the_containers(pod: Engine, files: Quadlets) -> None:
    address = os.path.join(files.systemd.environment["XDG_RUNTIME_DIR"], "web")
    files.systemd.write(
        "web.socket", f"[Socket]\nListenStream={address}\nFileDescriptorName=front\n"
    )
    script = "echo $LISTEN_FDS $LISTEN_PID $LISTEN_FDNAMES; readlink /proc/$$/fd/3; exec sleep 1d"
    files.write(
        "web.container",
        "[Container]\nImage=busybox\nNetwork=none\nStopSignal=KILL\n"
        f"Exec=sh -c '{script.replace('$', '$$')}'\n",
    )
    files.reload()
    files.systemd("start", "web.socket")
    assert pod.containers() == []
    with socket.socket(socket.AF_UNIX) as client:
        client.connect(address)
        until(lambda: len(pod("logs", "systemd-web", status=None).lines) == 2, "the start")
    with open("/proc/net/unix") as sockets:
        (inode,) = [
            line.split()[6]
            for line in sockets
            if line.split()[-1] == address and line.split()[3] == "00010000"
        ]
    assert pod("logs", "systemd-web").lines == ["1 1 front", f"socket:[{inode}]"]
    files.systemd("stop", "web.socket", "web.service")


def test_all_services_are_what_systemd_accepts(files: Quadlets) -> None:
    files.write("web.container", WEB)
    files.write("data.volume", "[Volume]\nUser=1\n")
    files.write("n.network", "[Network]\nSubnet=10.1.0.0/24\nNetworkDeleteOnStop=yes\n")
    files.write("p.pod", "[Pod]\nNetwork=n.network\nStopTimeout=3\n")
    files.write("i.image", "[Image]\nImage=docker.io/library/x\n")
    files.write("a.artifact", "[Artifact]\nArtifact=docker.io/library/x\n")
    files.write("b.build", "[Build]\nImageTag=x\nSetWorkingDirectory=unit\n")
    files.write("t@.container", "[Container]\nImage=x\nReloadCmd=a %i\nPod=p.pod\n")
    files.reload()
    systemd = files.systemd
    generated = os.path.join(systemd.environment["XDG_RUNTIME_DIR"], "systemd", "generator")
    paths = [os.path.join(generated, it) for it in os.listdir(generated) if it.endswith(".service")]
    assert len(paths) == 8
    done = subprocess.run(
        ["systemd-analyze", "--user", "--man=no", "verify", *paths],
        env=systemd.environment,
        capture_output=True,
        text=True,
    )
    assert (done.returncode, done.stderr) == (0, "")


class _Site(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response(200)
        self.end_headers()
        self.wfile.write(b"[Volume]\n")

    def log_message(self, *_: object) -> None:
        pass


def test_a_quadlet_from_an_address(pod: Engine, files: Quadlets) -> None:
    with ThreadingHTTPServer(("127.0.0.1", 0), _Site) as site:
        threading.Thread(target=site.serve_forever, daemon=True).start()
        address = f"http://127.0.0.1:{site.server_address[1]}/some/where.volume"
        (path,) = pod("quadlet", "install", address, env=files.systemd.environment).lines
        site.shutdown()
    assert path.endswith("/containers/systemd/where.volume")
    with open(path) as file:
        assert file.read() == "[Volume]\n"
    message = pod("quadlet", "install", address, status=125).stderr
    assert f"'{address}' cannot be fetched: Connection refused" in message
