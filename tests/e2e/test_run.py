"""`pod run`: what the container gets from each option, exit statuses, streams, signals; and what is refused."""

from __future__ import annotations

import os
import signal
import subprocess
import threading
from pathlib import Path

import pytest

from tests.support.engine import Engine, Result
from tests.support.waiting import until

QUICK = ("--rm", "--network", "none")


def run(pod: Engine, *words: str, **more: object) -> Result:
    """A container without a network that is gone afterwards."""
    return pod("run", *QUICK, *words, **more)  # type: ignore[arg-type]


# Exit statuses


@pytest.mark.parametrize(
    ("script", "status"),
    [
        ("true", 0),
        ("exit 3", 3),
        ("exit 255", 255),
        # Process 1 cannot be killed from inside, so a child is.
        pytest.param("sh -c 'kill -9 $$'; exit $?", 137, id="killed"),
        pytest.param("kill -15 $$; exit 0", 0, id="process-1-ignores-signals-by-default"),
    ],
)
def test_exit_status_is_that_of_the_command(pod: Engine, script: str, status: int) -> None:
    run(pod, "busybox", "sh", "-c", script, status=status)


@pytest.mark.parametrize(
    ("command", "status"),
    [
        ("nosuchcommand", 127),
        ("/no/such/file", 127),
        ("/etc", 126),
        pytest.param("/etc/passwd", 126, id="not-executable"),
    ],
)
def test_command_that_cannot_run(pod: Engine, command: str, status: int) -> None:
    result = run(pod, "busybox", command, status=status)
    assert pod.kind == "podman" or command in result.stderr  # crun only names what is not there
    assert pod("ps", "-a", "-q").out == ""


def test_pod_itself_failing_is_125(pod: Engine) -> None:
    assert "bogus" in run(pod, "--bogus", "busybox", "true", status=125).stderr
    run(pod, "--pull", "never", "localhost/no/such:image", "true", status=125)
    run(pod, status=125)


# Streams


def test_streams_are_separate_and_binary(pod: Engine) -> None:
    result = run(pod, "busybox", "sh", "-c", "printf 'a\\200b'; printf 'c\\377' >&2")
    assert result.stdout == "a\udc80b"
    assert result.stderr == "c\udcff"


def test_stdin_reaches_the_command_only_with_interactive(pod: Engine) -> None:
    assert run(pod, "-i", "busybox", "cat", stdin="hello").stdout == "hello"
    assert run(pod, "busybox", "cat", stdin="hello").stdout == ""


def test_much_data_passes_both_ways(pod: Engine) -> None:
    data = os.urandom(3_000_000)
    with pod.spawn("run", *QUICK, "-i", "busybox", "cat") as process:
        out, _ = process.communicate(data, timeout=60)
    assert out == data


def test_stdin_may_be_a_file(pod: Engine, tmp_path: Path) -> None:
    path = tmp_path / "input"
    path.write_bytes(b"x" * 100_000 + b"\n")
    with (
        path.open("rb") as file,
        pod.spawn("run", *QUICK, "-i", "busybox", "wc", "-c", stdin=file) as process,
    ):
        assert process.communicate(timeout=60)[0].strip() == b"100001"


def test_closed_reader_ends_the_command(pod: Engine) -> None:
    with pod.spawn("run", *QUICK, "busybox", "yes") as process:
        assert process.stdout is not None and process.stdout.readline() == b"y\n"
        process.stdout.close()
        process.wait(timeout=60)
    until(lambda: pod("ps", "-a", "-q").out == "", "removing the container whose reader went away")


def test_attach_chooses_streams(pod: Engine) -> None:
    script = "echo out; echo err >&2"
    result = run(pod, "-a", "stderr", "busybox", "sh", "-c", script)
    assert (result.stdout, result.stderr) == ("", "err\n")
    result = run(pod, "--attach", "stdout", "busybox", "sh", "-c", script)
    assert (result.stdout, result.stderr) == ("out\n", "")


# In the background


def test_detach_prints_the_id_and_leaves_it_running(pod: Engine) -> None:
    number = pod("run", "-d", "--network", "none", "--name", "bg", "busybox", "sleep", "1000").out
    assert len(number) == 64
    assert pod("ps", "--no-trunc", "-q").out == number
    pod("rm", "-f", "-t", "0", "bg")


def test_detached_container_outlives_the_closed_streams_of_the_command(pod: Engine) -> None:
    # A pipe that the container's monitor had inherited would keep this from ending.
    done = subprocess.run(
        pod.full_command("run", "-d", "--network", "none", "busybox", "sleep", "1000"),
        env=pod.environment,
        capture_output=True,
        timeout=60,
        check=True,
    )
    assert len(done.stdout.strip()) == 64


def test_rm_removes_after_the_end_in_the_background(pod: Engine) -> None:
    pod("run", "-d", *QUICK, "busybox", "true")
    until(lambda: pod("ps", "-a", "-q").out == "", "removing the container")


def test_without_rm_the_container_stays(pod: Engine) -> None:
    pod("run", "--network", "none", "--name", "kept", "busybox", "sh", "-c", "exit 4", status=4)
    assert pod("ps", "-a", "--format", "{{.Names}} {{.ExitCode}} {{.Exited}}").out == (
        "kept 4 true"
    )


# Signals


@pytest.mark.not_podman("its outer process passes on SIGTERM alone, and then ends with 0")
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGUSR1])
def test_signals_are_passed_on(pod: Engine, number: signal.Signals) -> None:
    name = number.name.removeprefix("SIG")
    script = f"trap 'echo got {name}; exit 5' {name}; echo ready; while true; do sleep 0.1; done"
    with pod.spawn("run", *QUICK, "busybox", "sh", "-c", script) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"ready\n"
        process.send_signal(number)
        assert process.stdout.read() == f"got {name}\n".encode()
        assert process.wait(timeout=60) == 5


def test_signals_are_not_passed_on_without_sig_proxy(pod: Engine) -> None:
    with pod.spawn(
        "run", "--network", "none", "--name", "s", "--sig-proxy=false", "busybox",
        "sh", "-c", "trap 'exit 5' TERM; echo ready; while true; do sleep 0.1; done",
    ) as process:  # fmt: skip
        assert process.stdout is not None
        assert process.stdout.readline() == b"ready\n"
        process.send_signal(signal.SIGTERM)
        process.wait(timeout=60)
    assert pod("ps", "--format", "{{.Names}}").out == "s"
    pod("rm", "-f", "-t", "0", "s")


# The process


def test_environment(pod: Engine, tmp_path: Path) -> None:
    file = tmp_path / "env"
    file.write_text("# comment\nFILE=from file\nBOTH=file\nHOSTVAR\n\n")
    result = run(
        pod, "-e", "A=1", "--env", "BOTH=option", "-e", "HOSTVAR2", "--env-file", str(file), "-e", "EMPTY=",
        "-e", "PRE_*", "--hostname", "h1", "busybox", "env",
        env={"HOSTVAR": "x", "HOSTVAR2": "y z", "PRE_A": "1", "PRE_B": "2", "OTHER": "no"},
    )  # fmt: skip
    variables = dict(line.split("=", 1) for line in result.lines)
    assert variables["A"] == "1"
    assert variables["FILE"] == "from file"
    assert variables["BOTH"] == "option"
    assert variables["HOSTVAR"] == "x"
    assert variables["HOSTVAR2"] == "y z"
    assert variables["EMPTY"] == ""
    assert (variables["PRE_A"], variables["PRE_B"]) == ("1", "2")
    assert variables["HOSTNAME"] == "h1"
    assert variables["HOME"] == "/root"
    assert "/bin" in variables["PATH"]
    assert "OTHER" not in variables


def test_environment_of_the_host_and_unsetting(pod: Engine) -> None:
    out = run(pod, "--env-host", "--unsetenv", "PATH", "busybox", "/bin/env", env={"MINE": "1"})
    assert "MINE=1" in out.lines
    out = run(pod, "--unsetenv-all", "-e", "ONLY=1", "busybox", "/bin/env")
    assert "ONLY=1" in out.lines
    assert not any(line.startswith("PATH=") for line in out.lines)


def test_environment_merged_with_the_images(pod: Engine) -> None:
    out = run(pod, "--env-merge", "PATH=${PATH}:/extra", "busybox", "sh", "-c", "echo $PATH").out
    assert out.endswith(":/extra") and out.startswith("/")


def test_proxies_of_the_caller_are_passed_on(pod: Engine) -> None:
    proxy = {"http_proxy": "http://proxy:3128"}
    assert "http_proxy=http://proxy:3128" in run(pod, "busybox", "env", env=proxy).lines
    assert "http_proxy" not in run(pod, "--http-proxy=false", "busybox", "env", env=proxy).stdout


@pytest.mark.parametrize(
    ("user", "expected"),
    [
        ("", "0 0 0 10"),
        ("0", "0 0 0 10"),
        ("1000", "1000 0 0"),
        ("1000:33", "1000 33 33"),
        ("root", "0 0 0 10"),
    ],
)
def test_user(pod: Engine, user: str, expected: str) -> None:
    words = ("busybox", "sh", "-c", "echo $(id -u) $(id -g) $(id -G)")
    assert run(pod, *(["--user", user] if user else []), *words).out == expected


def test_group_add(pod: Engine) -> None:
    assert "1234" in run(pod, "--group-add", "1234", "busybox", "id", "-G").out.split()


@pytest.mark.not_podman("it refuses a directory that the image lacks; docker makes it, too")
def test_workdir_is_made_and_entered(pod: Engine) -> None:
    assert run(pod, "-w", "/a/b c", "busybox", "pwd").out == "/a/b c"


def test_entrypoint(pod: Engine) -> None:
    assert run(pod, "--entrypoint", "echo", "busybox", "x", "y").out == "x y"
    assert run(pod, "--entrypoint", '["echo","one two"]', "busybox", "z").out == "one two z"
    assert run(pod, "--entrypoint", "", "busybox", "echo", "a").out == "a"


def test_hostname_umask_timezone(pod: Engine) -> None:
    script = "hostname; umask; cat /etc/hostname"
    out = run(pod, "--hostname", "my-host", "--umask", "0077", "busybox", "sh", "-c", script)
    assert out.lines == ["my-host", "0077", "my-host"]
    zone = run(pod, "--tz", "Asia/Tokyo", "busybox", "ls", "/etc/localtime")
    assert zone.out == "/etc/localtime"


def test_init_is_process_1_and_reaps(pod: Engine) -> None:
    assert run(pod, "--init", "busybox", "sh", "-c", "echo $$").out != "1"
    assert run(pod, "busybox", "sh", "-c", "echo $$").out == "1"


def test_a_command_behind_init_is_looked_for_first(pod: Engine) -> None:
    result = run(pod, "--init", "busybox", "nosuchcommand", status=127)
    if pod.kind == "pod":  # of podman, the init says it
        assert result.stderr.startswith("Error: command 'nosuchcommand' was not found")
        assert run(pod, "--init", "busybox", "/etc", status=126).stderr.startswith("Error: ")


def test_unknown_user_gets_a_line_in_passwd(pod: Engine) -> None:
    script = "grep :1717: /etc/passwd || echo none"
    words = ("busybox", "sh", "-c", script)
    assert ":1717:" in run(pod, "-u", "1717", *words).out
    assert run(pod, "-u", "1717", "--passwd=false", *words).out == "none"
    entry = "special:x:$UID:0::/home:/bin/sh"
    assert run(pod, "-u", "1717", "--passwd-entry", entry, *words).out == (
        "special:x:1717:0::/home:/bin/sh"
    )


# What it may do


def test_capabilities(pod: Engine) -> None:
    words = ("busybox", "grep", "CapEff", "/proc/self/status")
    none = run(pod, "--cap-drop", "all", *words).out.split()[1]
    assert int(none, 16) == 0
    one = run(pod, "--cap-drop", "all", "--cap-add", "net_raw", *words).out.split()[1]
    assert int(one, 16) == 1 << 13
    everything = int(run(pod, "--privileged", *words).out.split()[1], 16)
    assert everything > int(run(pod, *words).out.split()[1], 16)


def test_no_new_privileges(pod: Engine) -> None:
    words = ("busybox", "grep", "NoNewPrivs", "/proc/self/status")
    assert run(pod, "--security-opt", "no-new-privileges", *words).out.split()[1] == "1"
    assert run(pod, *words).out.split()[1] == "0"


def test_seccomp_can_be_switched_off(pod: Engine) -> None:
    words = ("busybox", "grep", "Seccomp:", "/proc/self/status")
    assert run(pod, *words).out.split()[1] == "2"
    assert run(pod, "--security-opt", "seccomp=unconfined", *words).out.split()[1] == "0"


def test_ulimit(pod: Engine) -> None:
    assert run(pod, "--ulimit", "nofile=100:200", "busybox", "sh", "-c", "ulimit -n").out == "100"


def test_sysctl(pod: Engine) -> None:
    out = run(
        pod, "--sysctl", "net.ipv4.ip_forward=1", "busybox", "cat", "/proc/sys/net/ipv4/ip_forward"
    )
    assert out.out == "1"


def test_oom_score_adj(pod: Engine) -> None:
    words = ("busybox", "cat", "/proc/self/oom_score_adj")
    assert run(pod, "--oom-score-adj", "500", *words).out == "500"


# Namespaces


def test_host_namespaces(pod: Engine) -> None:
    links = {kind: os.readlink(f"/proc/self/ns/{kind}") for kind in ("pid", "net", "uts", "ipc")}
    options = [("pid", "--pid"), ("uts", "--uts"), ("ipc", "--ipc")]
    if pod.kind == "podman" and not os.path.isdir("/dev/mqueue"):
        options.pop()  # without it, it refuses --ipc=host
    for kind, option in options:
        out = run(pod, option, "host", "busybox", "readlink", f"/proc/self/ns/{kind}")
        assert out.out == links[kind], kind
    out = pod("run", "--rm", "--network", "host", "busybox", "readlink", "/proc/self/ns/net")
    assert out.out == links["net"]
    assert run(pod, "busybox", "readlink", "/proc/self/ns/pid").out != links["pid"]


def test_namespaces_of_another_container(pod: Engine) -> None:
    pod("run", "-d", "--name", "owner", "--network", "none", "busybox", "sleep", "1000")
    script = "readlink /proc/self/ns/pid; readlink /proc/self/ns/net"
    inside = pod("exec", "owner", "sh", "-c", script).lines
    joined = pod(
        "run", "--rm", "--pid", "container:owner", "--network", "container:owner", "busybox",
        "sh", "-c", script,
    ).lines  # fmt: skip
    assert joined == inside
    pod("rm", "-f", "-t", "0", "owner")


@pytest.mark.parametrize("network", ["pasta", "slirp4netns"])
def test_own_network_among_processes_of_others(pod: Engine, network: str) -> None:
    if pod.kind == "podman" and network == "pasta":
        pytest.skip("allowed: not with podman: 4.3 has no pasta")
    words = ["--rm", "--network", network]
    up = ["busybox", "sh", "-c", "ip route | grep -c default; ip link | grep -c UP"]
    assert pod("run", *words, "--pid", "host", *up).lines == ["1", "2"]
    pod("run", "-d", "--name", "owner", "--network", "none", "busybox", "sleep", "1000")
    assert pod("run", *words, "--pid", "container:owner", *up).lines == ["1", "2"]
    result = pod("run", *words, "--pid", "container:owner", "busybox", "nosuchcommand", status=127)
    assert "not found" in result.stderr
    pod("rm", "-f", "-t", "0", "owner")


def test_userns_keep_id(pod: Engine) -> None:
    out = run(pod, "--userns", "keep-id", "busybox", "id", "-u").out
    assert out == str(os.getuid())


# Network


def test_hosts_and_resolvers(pod: Engine) -> None:
    script = "cat /etc/hosts; echo --; cat /etc/resolv.conf"
    out = pod(
        "run", "--rm", "--add-host", "one;two:10.1.2.3", "--dns", "192.0.2.53", "--dns-search", "example.org",
        "--dns-option", "ndots:3", "busybox", "sh", "-c", script,
    ).stdout  # fmt: skip
    hosts, _, resolvers = out.partition("--\n")
    assert "10.1.2.3" in hosts and "one" in hosts and "two" in hosts
    assert "nameserver 192.0.2.53" in resolvers
    assert "search example.org" in resolvers
    assert "ndots:3" in resolvers


def test_no_hosts_leaves_the_images_file(pod: Engine) -> None:
    assert (
        "localhost"
        not in run(pod, "--no-hosts", "busybox", "sh", "-c", "cat /etc/hosts || true").out
    )


def test_ports_without_a_network_are_told(pod: Engine) -> None:
    result = run(pod, "-p", "18080:80", "busybox", "true")
    assert "discarded" in result.stderr or "not published" in result.stderr


# Names and files


def test_cidfile_and_pidfile(pod: Engine, tmp_path: Path) -> None:
    cid, pid = tmp_path / "cid", tmp_path / "pid"
    number = pod(
        "run", "-d", "--network", "none", "--cidfile", str(cid), "--pidfile", str(pid), "--name", "files",
        "busybox", "sleep", "1000",
    ).out  # fmt: skip
    assert cid.read_text() == number
    assert pod("inspect", "-f", "{{.State.Pid}}", "files").out == pid.read_text().strip()
    assert "exists" in pod("run", "--cidfile", str(cid), "busybox", "true", status=125).stderr
    pod("rm", "-f", "-t", "0", "files")


def test_names_are_unique_and_replaced_on_request(pod: Engine) -> None:
    first = pod("create", "--name", "same", "busybox").out
    taken = pod("run", "--name", "same", "busybox", "true", status=125)
    assert "same" in taken.stderr and "in use" in taken.stderr
    pod("run", "--network", "none", "--name", "same", "--replace", "busybox", "true")
    assert pod("ps", "-a", "--no-trunc", "-q").out != first


def test_labels_and_annotations(pod: Engine, tmp_path: Path) -> None:
    file = tmp_path / "labels"
    file.write_text("from=file\n")
    pod(
        "create", "--name", "l", "-l", "a=1", "--label", "b", "--label-file", str(file), "--annotation", "note=x",
        "busybox",
    )  # fmt: skip
    assert pod("inspect", "-f", "{{json .Config.Labels}}", "l").json() == {
        "a": "1",
        "b": "",
        "from": "file",
    }
    assert pod("inspect", "-f", '{{index .Config.Annotations "note"}}', "l").out == "x"


def test_log_driver_none_keeps_nothing(pod: Engine) -> None:
    pod(
        "run",
        "--network",
        "none",
        "--name",
        "quiet",
        "--log-driver",
        "none",
        "busybox",
        "echo",
        "x",
    )
    assert pod("logs", "quiet", status=125).stdout == ""


def test_timeout_ends_the_container(pod: Engine) -> None:
    result = run(pod, "--timeout", "1", "busybox", "sleep", "1000", status=None)
    assert result.status in (137, 255)  # podman's conmon says 255


def test_restart_on_failure_counts(pod: Engine) -> None:
    pod(
        "run", "-d", "--network", "none", "--name", "again", "--restart", "on-failure:2", "busybox",
        "sh", "-c", "echo try; exit 3",
    )  # fmt: skip
    assert pod("wait", "again").out == "3"
    until(lambda: pod("logs", "again").lines == ["try"] * 3, "trying three times")
    assert pod("inspect", "-f", "{{.RestartCount}}", "again").out == "2"


def test_requires_starts_the_other_first(pod: Engine) -> None:
    pod("create", "--name", "first", "--network", "none", "busybox", "sleep", "1000")
    pod(
        "run",
        "-d",
        "--requires",
        "first",
        "--network",
        "none",
        "--name",
        "second",
        "busybox",
        "sleep",
        "1000",
    )
    assert sorted(pod("ps", "--format", "{{.Names}}").lines) == ["first", "second"]
    pod("rm", "-f", "-t", "0", "second")
    pod("rm", "-f", "-t", "0", "first")


def test_options_end_at_the_image(pod: Engine) -> None:
    assert run(pod, "busybox", "echo", "-e", "--rm", "--name").out == "--rm --name"


def test_several_at_once_get_different_names(pod: Engine) -> None:
    failures: list[str] = []

    def start() -> None:
        result = pod("run", "-d", "--network", "none", "busybox", "sleep", "1000", status=None)
        if result.status:
            failures.append(str(result))

    threads = [threading.Thread(target=start) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failures
    names = pod("ps", "--format", "{{.Names}}").lines
    assert len(set(names)) == 8
    pod("rm", "-f", "-a", "-t", "0")
