"""`pod run`: flags that are easily got wrong, and their forms, several in a container; test_run.py has the rest."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path

import pytest

from tests.support.engine import Engine, Result
from tests.support.terminal import Terminal
from tests.support.waiting import free_port, until, until_http


def run(pod: Engine, *words: str, **more: object) -> Result:
    """A container without a network that is gone afterwards."""
    return pod("run", "--rm", "--network", "none", *words, **more)  # type: ignore[arg-type]


def shell(pod: Engine, script: str, *options: str, **more: object) -> list[str]:
    """The lines that a shell script writes in a container with these options."""
    return run(pod, *options, "busybox", "sh", "-c", script, **more).lines


# Environment and names


def test_host_name_is_in_the_environment(pod: Engine) -> None:
    name, in_environment, in_file = shell(pod, "hostname; echo $HOSTNAME; cat /etc/hostname")
    assert name == in_environment == in_file
    assert len(name) == 12
    assert shell(pod, "hostname; echo $HOSTNAME", "--uts", "host") == [os.uname().nodename] * 2
    assert shell(pod, "echo $HOSTNAME", "-h", "mine", "-e", "HOSTNAME=other") == ["other"]


def test_variables_that_are_taken_away(pod: Engine) -> None:
    options = ["--unsetenv", "TERM", "--unsetenv", "container", "-e", "KEPT=1"]
    script = "echo ${TERM-none} ${container-none} $KEPT"
    command = pod.full_command(
        "run", "--rm", "-t", "--network=none", *options, "busybox", "sh", "-c", script
    )
    with Terminal(command, pod.environment) as terminal:
        terminal.expect("none none 1")
        terminal.wait()


def test_home_follows_the_user_unless_it_is_set(pod: Engine) -> None:
    assert shell(pod, "echo $HOME") == ["/root"]
    assert shell(pod, "echo $HOME", "-u", "1234") == ["/"]
    assert shell(pod, "echo $HOME", "-e", "HOME=/x") == ["/x"]


def test_environment_file_is_taken_as_it_is_written(pod: Engine, tmp_path: Path) -> None:
    file = tmp_path / "env"
    file.write_text('A=1\n# B=2\n  C=3\n\nQUOTED="q"\nBLANKS=a b \nEMPTY=\nNOT_SET\n')
    lines = run(pod, "--env-file", str(file), "-e", "A=option", "busybox", "env").lines
    assert {"A=option", "C=3", 'QUOTED="q"', "EMPTY="} <= set(lines)
    assert any(line.rstrip() == "BLANKS=a b" for line in lines)
    assert not any(line.startswith(("B=", "# B", "NOT_SET")) for line in lines)


@pytest.mark.parametrize(
    ("entrypoint", "words", "expected"),
    [
        ('["sh","-c","echo one $0"]', ["two"], "one two"),
        ("echo", ["sh", "-c"], "sh -c"),
        ("", ["echo", "plain"], "plain"),
        ("[]", ["echo", "plain"], "plain"),
    ],
)
def test_entrypoint_forms(pod: Engine, entrypoint: str, words: list[str], expected: str) -> None:
    assert run(pod, "--entrypoint", entrypoint, "busybox", *words).out == expected


@pytest.mark.parametrize("entrypoint", ["echo a", '["echo"'])
def test_entrypoint_that_is_no_list_is_one_word(pod: Engine, entrypoint: str) -> None:
    assert entrypoint in run(pod, "--entrypoint", entrypoint, "busybox", status=127).stderr


def test_labels_of_file_and_options(pod: Engine, tmp_path: Path) -> None:
    file = tmp_path / "labels"
    file.write_text("a=file\n# comment\nb=file\nblank=x y\n")
    pod("create", "--name", "l", "--label-file", str(file), "-l", "a=option", "-l", "c", "busybox")
    assert pod("inspect", "-f", "{{json .Config.Labels}}", "l").json() == {
        "a": "option",
        "b": "file",
        "blank": "x y",
        "c": "",
    }


# Security and limits


def test_security_options_together(pod: Engine) -> None:
    options = ["no-new-privileges:true", "label=disable", "mask=/usr", "proc-opts=hidepid=2"]
    options += ["unmask=/proc/*"]
    script = (
        "grep -E '^(NoNewPrivs|Seccomp):' /proc/self/status; ls /usr;"
        "grep -c -E ' /proc/[a-z]' /proc/mounts; grep -o hidepid=[a-z0-9]* /proc/mounts"
    )
    lines = shell(pod, script, *(word for it in options for word in ("--security-opt", it)))
    assert [line.split() for line in lines[:2]] == [["NoNewPrivs:", "1"], ["Seccomp:", "2"]]
    assert lines[2] == "0"
    assert lines[3] in {"hidepid=2", "hidepid=invisible"}


def test_everything_can_be_unmasked(pod: Engine) -> None:
    script = "grep -c -E ' /(proc|sys)/[^f]' /proc/mounts || true"
    assert int(shell(pod, script)[0]) > 5
    assert shell(pod, script, "--security-opt", "unmask=ALL") == ["0"]


def test_seccomp_profile_of_ones_own(pod: Engine, tmp_path: Path) -> None:
    profile = tmp_path / "profile.json"
    rule = {"names": ["mkdir", "mkdirat"], "action": "SCMP_ACT_ERRNO", "errnoRet": 28}
    document = {
        "defaultAction": "SCMP_ACT_ALLOW",
        "architectures": ["SCMP_ARCH_X86_64", "SCMP_ARCH_AARCH64"],
        "syscalls": [rule],
    }
    profile.write_text(json.dumps(document))
    option = f"seccomp={profile}"
    result = run(pod, "--security-opt", option, "busybox", "mkdir", "/x", status=1)
    assert "No space left" in result.stderr
    missing = run(pod, "--security-opt", "seccomp=/no/such", "busybox", "true", status=125)
    assert "/no/such" in missing.stderr


def test_apparmor_profile_needs_apparmor(pod: Engine) -> None:
    if os.path.exists("/sys/module/apparmor/parameters/enabled"):
        pytest.skip("allowed: this machine may have AppArmor")
    result = run(pod, "--security-opt", "apparmor=mine", "busybox", "true", status=125)
    assert "mine" in result.stderr
    run(pod, "--security-opt", "apparmor=unconfined", "busybox", "true")


def test_ulimits(pod: Engine) -> None:
    script = "ulimit -n; ulimit -Hn; ulimit -c"
    options = ["--ulimit", "nofile=100:200", "--ulimit", "core=-1:-1"]
    assert shell(pod, script, *options) == ["100", "200", "unlimited"]
    mine = subprocess.run(["sh", "-c", script], capture_output=True, text=True, check=True)
    assert shell(pod, script, "--ulimit", "host") == mine.stdout.split()


@pytest.mark.not_podman("it fails to start the container")
def test_what_only_root_may_raise_is_cut(pod: Engine) -> None:
    script = "ulimit -Hn; cat /proc/self/oom_score_adj"
    highest = subprocess.run(["sh", "-c", script], capture_output=True, text=True, check=True)
    options = ["--ulimit", "nofile=99999999", "--oom-score-adj", "-1000"]
    result = run(pod, *options, "busybox", "sh", "-c", script)
    limit, score = result.out.split()
    assert [limit, score] == highest.stdout.split()
    # And it is said, with what was asked for and what it is.
    first, second = result.stderr.splitlines()
    assert "--ulimit nofile=99999999" in first and first.endswith(limit)
    assert "--oom-score-adj -1000" in second and second.endswith(score)
    quiet = run(pod, "--ulimit", "nofile=99:-1", "--oom-score-adj", "900", "busybox", "true")
    assert quiet.stderr == ""


@pytest.mark.not_podman("its top finds processes by their cgroup")
def test_container_without_a_cgroup_of_its_own(pod: Engine) -> None:
    number = run(pod, "--cgroups", "disabled", "busybox", "cat", "/proc/self/cgroup").out
    assert number
    pod(
        "run", "-d", "--name", "c", "--network=none", "--cgroups=disabled", "busybox", "sleep", "1000",
    )  # fmt: skip
    assert "sleep" in pod("top", "c").stdout
    pod("exec", "c", "true")
    pod("rm", "-f", "-t", "0", "c")


@pytest.mark.not_podman("it wants the path from the root of all cgroups")
def test_cgroup_parent_is_below_what_is_delegated(pod: Engine) -> None:
    options = ["--cgroup-parent", "some/place", "--cgroupns", "host"]
    lines = run(pod, *options, "busybox", "cat", "/proc/self/cgroup").lines
    (own,) = (line for line in lines if line.startswith("0::"))
    assert "/some/place/pod-" in own
    place = "/sys/fs/cgroup" + own.removeprefix("0::").rpartition("/")[0]
    os.removedirs(place)  # it may be another container's, too, so it stays


def test_limits_of_devices_are_asked_for(pod: Engine) -> None:
    options = ["--device-read-bps", "/dev/null:1mb", "--device-write-iops", "/dev/null:100"]
    run(pod, *options, "--blkio-weight-device", "/dev/null:100", "busybox", "true")
    missing = run(pod, "--device-read-bps", "/dev/no-such:1mb", "busybox", "true", status=None)
    assert missing.status in {125, 126} and "/dev/no-such" in missing.stderr


def test_no_limit_is_nothing_to_warn_of(pod: Engine) -> None:
    assert run(pod, "--pids-limit", "-1", "busybox", "true").stderr == ""
    assert run(pod, "--pids-limit", "0", "busybox", "true").stderr == ""


# Images and the caller's environment


def test_variables_that_stand_for_options(pod: Engine) -> None:
    environment = {"PODMAN_USERNS": "keep-id"}
    assert run(pod, "busybox", "id", "-u", env=environment).out == str(os.getuid())
    assert run(pod, "--userns", "host", "busybox", "id", "-u", env=environment).out == "0"


@pytest.mark.not_podman("it says so of --userns, which nobody has typed")
def test_variable_that_is_wrong_is_named(pod: Engine) -> None:
    result = run(pod, "busybox", "true", env={"PODMAN_USERNS": "bogus"}, status=125)
    assert "Error: PODMAN_USERNS 'bogus' is not valid: one of host" in result.stderr


@pytest.mark.not_podman("it is docker's")
def test_default_platform(pod: Engine) -> None:
    other = "arm64" if os.uname().machine == "x86_64" else "amd64"
    environment = {"DOCKER_DEFAULT_PLATFORM": f"linux/{other}"}
    result = run(pod, "--pull=never", "busybox", "true", env=environment, status=125)
    assert f"linux/{other}" in result.stderr


def test_pull_policies_when_the_registry_does_not_have_it(pod: Engine) -> None:
    pod("tag", "busybox", "docker.io/library/only-here")
    for policy, status in (("missing", 0), ("never", 0), ("newer", 0), ("always", 125)):
        run(pod, "--pull", policy, "only-here", "true", status=status)
    assert "nowhere" in run(pod, "--pull=never", "nowhere", "true", status=125).stderr


def test_pull_policies_when_it_is_here(pod: Engine) -> None:
    assert run(pod, "--pull", "missing", "busybox", "true").stderr == ""
    assert "Trying to pull" in run(pod, "--pull", "always", "busybox", "true").stderr
    assert run(pod, "--pull", "always", "-q", "busybox", "true").stderr == ""


@pytest.mark.not_podman("it runs the image of another platform with a warning")
def test_other_platform_is_an_error(pod: Engine) -> None:
    other = "arm64" if os.uname().machine == "x86_64" else "amd64"
    for options in (["--platform", f"linux/{other}"], ["--arch", other], ["--os", "windows"]):
        assert "not for" in run(pod, *options, "busybox", "true", status=125).stderr
    assert run(pod, "--arch", os.uname().machine, "--pull=never", "busybox", "true").stderr == ""


# Files with ids, and names


def test_files_with_ids(pod: Engine, tmp_path: Path) -> None:
    words = ["--name", "f", "--network", "none"]
    for name in ("cidfile", "pidfile", "conmon-pidfile"):
        words += [f"--{name}", str(tmp_path / name)]
    number = pod("run", "-d", *words, "busybox", "sleep", "1000").out
    assert (tmp_path / "cidfile").read_text() == number
    pid, monitor = (int((tmp_path / name).read_text()) for name in ("pidfile", "conmon-pidfile"))
    assert pod("inspect", "-f", "{{.State.Pid}}", "f").out == str(pid)
    with open(f"/proc/{pid}/stat") as file:
        assert int(file.read().rpartition(")")[2].split()[1]) == monitor
    pod("rm", "-f", "-t", "0", "--cidfile", str(tmp_path / "cidfile"))


@pytest.mark.not_podman("it leaves the container")
def test_cidfile_that_cannot_be_written_leaves_no_container(pod: Engine, tmp_path: Path) -> None:
    path = str(tmp_path / "missing" / "cid")
    assert path in run(pod, "--cidfile", path, "busybox", "true", status=125).stderr
    assert path in pod("create", "--cidfile", path, "busybox", status=125).stderr
    assert pod("ps", "-a", "-q").out == ""


def test_replace_ends_what_runs_under_the_name(pod: Engine) -> None:
    words = ["run", "-d", "--name", "r", "--replace", "--network=none", "--stop-timeout", "0"]
    first, second = (pod(*words, "busybox", "sleep", "1000").lines[-1] for _ in range(2))
    assert first != second
    assert pod("ps", "-a", "-q", "--no-trunc").lines == [second]
    pod("rm", "-f", "-t", "0", "r")


def test_rm_in_the_background_takes_volumes_without_a_name_along(pod: Engine) -> None:
    words = ["--rm", "--network=none", "-v", "/anonymous", "-v", "named:/n"]
    pod("run", "-d", *words, "busybox", "true")
    until(lambda: pod("ps", "-a", "-q").out == "", "removing the container")
    until(lambda: pod("volume", "ls", "-q").lines == ["named"], "removing the volume")


def test_stop_signal_and_timeout_are_those_that_stop_uses(pod: Engine) -> None:
    script = "trap 'exit 7' USR1; trap '' TERM; echo ready; while true; do sleep 0.05; done"
    options = ["--stop-signal", "usr1", "--stop-timeout", "50"]
    pod("run", "-d", "--name", "s", "--network=none", *options, "busybox", "sh", "-c", script)
    until(lambda: pod("logs", "s").out == "ready", "being ready")
    pod("stop", "s")
    assert pod("wait", "s").out == "7"


# Streams and the command line


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        (["-i"], "input"),
        (["-i", "-a", "stdin", "-a", "stdout"], "input"),
        (["-i", "-a", "stdout"], "input"),
        (["--interactive=false"], ""),
        ([], ""),
    ],
)
def test_standard_input_through_a_pipe(pod: Engine, options: list[str], expected: str) -> None:
    assert run(pod, *options, "busybox", "cat", stdin="input").stdout == expected


def test_input_alone_prints_the_id(pod: Engine) -> None:
    out = run(pod, "-a", "stdin", "busybox", "echo", "unseen").out
    assert len(out) == 64 and set(out) <= set("0123456789abcdef")


def test_options_end_at_the_image_or_at_two_dashes(pod: Engine) -> None:
    assert run(pod, "--", "busybox", "echo", "--rm", "-it", "--", "x").out == "--rm -it -- x"
    assert "--" in run(pod, "busybox", "--", "echo", status=127).stderr


def test_flags_take_a_value_only_behind_an_equals_sign(pod: Engine) -> None:
    pod("run", "--rm=false", "-ti=false", "--network=none", "--name=kept", "busybox", "true")
    assert pod("ps", "-a", "--format", "{{.Names}}").out == "kept"
    assert "maybe" in run(pod, "-i=maybe", "busybox", status=125).stderr


def test_init_program_of_ones_own(pod: Engine) -> None:
    assert run(pod, "--init", "--init-path", "/no/such", "busybox", "true", status=125).stdout == ""
    words = ["--init", "--init-path", "/usr/bin/catatonit", "busybox", "sh", "-c"]
    script = "cat /proc/1/comm; echo $$"
    assert run(pod, *words, script).lines == ["podman-init", "2"]
    words[2] = "catatonit"  # relative to where it is typed, not to where it is started
    pod("create", "--name", "c", "--network", "none", *words, script, cwd="/usr/bin")
    assert pod("start", "-a", "c").lines == ["podman-init", "2"]


@pytest.mark.parametrize("options", [["--systemd", "always"], ["--entrypoint", "/sbin/init"]])
def test_systemd_gets_what_it_needs(pod: Engine, options: list[str]) -> None:
    number = pod("create", "--network=none", *options, "busybox", "sh").out
    signal = pod("inspect", "-f", "{{.Config.StopSignal}}", number).out
    assert signal in {"SIGRTMIN+3", "37"}
    if "always" not in options:
        return
    script = (
        "stat -f -c %T /run /run/lock /tmp /var/log/journal; stat -c %a /tmp; echo $container_uuid;"
        "mkdir /sys/fs/cgroup/made && rmdir /sys/fs/cgroup/made && echo writable"
    )
    lines = shell(pod, script, *options)
    assert lines[:5] == ["tmpfs"] * 4 + ["1777"]
    assert len(lines[5]) == 32
    assert lines[6] == "writable"


@pytest.mark.not_podman("it says nothing")
def test_systemd_without_a_cgroup_of_its_own_is_told(pod: Engine) -> None:
    words = ("create", "--network=none", "--systemd=always", "busybox", "sh")
    assert "--userns=keep-id" in pod(*words[:1], "--userns=nomap", *words[1:]).stderr
    assert pod(*words[:1], "--userns=keep-id", *words[1:]).stderr == ""


def test_other_programs_are_not_taken_for_systemd(pod: Engine) -> None:
    options = ["--systemd", "false", "--entrypoint", "/sbin/init"]
    for words in (options, ["--entrypoint", "sh"]):
        number = pod("create", *words, "busybox").out
        assert pod("inspect", "-f", "{{.Config.StopSignal}}", number).out in {"SIGTERM", "15"}
    assert "--systemd" in pod("create", "--systemd", "maybe", "busybox", status=125).stderr


# Network


def test_resolver_and_hosts(pod: Engine) -> None:
    words = ["run", "--rm", "--add-host", "one:10.1.1.1", "--add-host", "six:fd00::1"]
    words += ["--dns", "192.0.2.1,192.0.2.2", "--dns-search", ".", "--dns-option", "ndots:2"]
    out = pod(*words, "busybox", "cat", "/etc/resolv.conf", "/etc/hosts").lines
    assert out[:2] == ["nameserver 192.0.2.1", "nameserver 192.0.2.2"]
    assert "options ndots:2" in out
    assert not any(line.startswith("search") for line in out)
    fields = [line.split() for line in out]
    assert ["10.1.1.1", "one"] in fields and ["fd00::1", "six"] in fields


def test_files_that_are_left_to_the_image(pod: Engine) -> None:
    script = "ls /etc/resolv.conf /etc/hosts 2>/dev/null || true"
    out = pod("run", "--rm", "--dns", "none", "--no-hosts", "busybox", "sh", "-c", script)
    assert out.stdout == ""


def test_options_of_slirp4netns(pod: Engine) -> None:
    network = "slirp4netns:mtu=1400,enable_ipv6=false,cidr=10.9.8.0/24,allow_host_loopback=true"
    script = "ip addr show tap0; cat /etc/resolv.conf /etc/hosts; hostname"
    out = pod("run", "--rm", "--network", network, "-h", "me", "busybox", "sh", "-c", script).stdout
    assert "mtu 1400" in out and "10.9.8.100/24" in out
    assert "nameserver 10.9.8.3" in out
    assert any(line.split()[:2] == ["10.9.8.100", "me"] for line in out.splitlines())


@pytest.mark.not_podman("4.3 knows no pasta")
def test_options_of_pasta(pod: Engine) -> None:
    words = "--mtu,1500,-a,10.9.8.7,-n,24,-g,10.9.8.1,-I,net7,--dns-forward=10.9.8.3"
    script = "ip addr show net7; ip route; cat /etc/resolv.conf /etc/hosts"
    network = ("--network", f"pasta:{words}")
    out = pod("run", "--rm", *network, "-h", "me", "busybox", "sh", "-c", script).stdout
    assert "mtu 1500" in out and "10.9.8.7/24" in out
    assert "default via 10.9.8.1" in out
    assert "nameserver 10.9.8.3" in out
    assert any(line.split()[:2] == ["10.9.8.7", "me"] for line in out.splitlines())


@pytest.mark.not_podman("4.3 knows no pasta")
def test_ports_by_options_of_pasta(pod: Engine) -> None:
    port = free_port()
    script = "echo pasta > /tmp/index.html; exec httpd -f -h /tmp"
    network = ("--network", f"pasta:-t,{port}:80")
    pod("run", "-d", *network, "busybox", "sh", "-c", script)
    assert until_http(f"http://127.0.0.1:{port}/") == "pasta\n"


@pytest.mark.not_podman("4.3 knows no pasta")
def test_a_wrong_option_of_pasta_is_quoted(pod: Engine) -> None:
    failed = pod("run", "--rm", "--network", "pasta:--nonsense", "busybox", "true", status=None)
    assert failed.status == 125
    assert "pasta could not connect the container" in failed.stderr
    assert "--nonsense" in failed.stderr


@pytest.mark.parametrize(
    ("words", "named"),
    [
        (["--network", "slirp4netns:mtu=nonsense"], "nonsense"),
        (["--network", "slirp4netns:nonsense=1"], "nonsense"),
        (["--network", "no-such-network"], "no-such-network"),
        (["--network", "none", "--dns", "1.1.1.1"], "dns"),
    ],
)
def test_wrong_network_is_named(pod: Engine, words: list[str], named: str) -> None:
    result = pod("run", "--rm", *words, "busybox", "true", status=None)
    assert named in result.stderr and result.status in {125, 126}  # podman finds some at the start


# Options of pod itself, which are understood behind the command, too


@pytest.mark.not_podman("it takes them in another way")
@pytest.mark.parametrize(
    ("words", "named"),
    [
        (["--storage-opt", "size=10G"], "size=10G"),
        (["--storage-opt", "overlay.mount_program=/bin/true"], "/bin/true"),
        (["--config", "/no/such/directory"], "/no/such/directory"),
        (["--runtime", "/no/such/runtime"], "/no/such/runtime"),
        (["--network-cmd-path", "/no/such/program", "--network", "private"], "/no/such/program"),
        (["--cgroups", "disabled", "--memory", "5m"], "--memory"),
        (["--network", "slirp4netns:port_handler=rootlesskit"], "rootlesskit"),
    ],
)
def test_what_cannot_be_done_is_refused(pod: Engine, words: list[str], named: str) -> None:
    result = pod("run", "--rm", *words, "busybox", "true", status=125)
    assert named in result.stderr and result.stdout == ""
    assert len(result.stderr.splitlines()) <= 2
