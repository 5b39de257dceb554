"""The main job: nginx from a registry, run by an ordinary user, with its port, logs, exec, stop and removal."""

from __future__ import annotations

from tests.support.engine import Engine
from tests.support.waiting import free_port, until, until_http


def test_nginx_is_served_on_a_published_port(pod: Engine) -> None:
    pod.have("nginx")
    port = free_port()
    number = pod("run", "-d", "-p", f"127.0.0.1:{port}:80", "--name", "web", "nginx").out
    assert len(number) == 64

    assert "Welcome to nginx" in until_http(f"http://127.0.0.1:{port}/")
    until(lambda: "GET / HTTP" in pod("logs", "web").stdout, "logging the request")
    assert pod("exec", "web", "cat", "/proc/1/comm").out == "nginx"
    assert pod("port", "web").out == f"80/tcp -> 127.0.0.1:{port}"

    pod("stop", "web")
    assert (
        pod("inspect", "--format", "{{.State.Status}} {{.State.ExitCode}}", "web").out == "exited 0"
    )
    pod("rm", "web")
    assert pod("ps", "-a", "-q").out == ""


def test_run_gives_output_and_exit_status_of_the_command(pod: Engine) -> None:
    result = pod(
        "run",
        "--rm",
        "--network",
        "none",
        "busybox",
        "sh",
        "-c",
        "echo out; echo err >&2; exit 7",
        status=7,
    )
    assert (result.stdout, result.stderr) == ("out\n", "err\n")


def test_first_pull_into_a_root_that_does_not_exist(fresh_pod: Engine) -> None:
    assert fresh_pod.registry is not None
    fresh_pod.registry.have("busybox")
    number = fresh_pod("pull", "busybox").lines[-1]
    assert fresh_pod("images", "-q", "--no-trunc").out.removeprefix("sha256:") == number
    assert fresh_pod("run", "--rm", "--network", "none", "busybox", "echo", "hello").out == "hello"
