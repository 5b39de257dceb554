"""What containers.conf and storage.conf set, as containers see it; options are stronger. See pod-configuration(5)."""

from __future__ import annotations

import base64
import json
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.support.engine import Engine, Result
from tests.support.registry import Registry

Configured = Callable[..., Result]


@pytest.fixture
def configured(pod: Engine, tmp_path: Path) -> Configured:
    """Run a command with these lines as the only containers.conf; a container of it has no network and is removed."""

    def command(text: str, *words: str, **more: object) -> Result:
        path = tmp_path / "containers.conf"
        if "[engine]" not in text:
            text += "\n[engine]\n"
        path.write_text(text + '\nevents_logger = "file"\n')
        environment = {"CONTAINERS_CONF": str(path), **more.pop("env", {})}  # type: ignore[dict-item]
        return pod(*words, env=environment, **more)  # type: ignore[arg-type]

    return command


RUN = ("run", "--rm", "--network", "none")
SHELL = ("busybox", "sh", "-c")


def test_what_containers_get(configured: Configured) -> None:
    text = """
        [containers]
        env = ["CONFIGURED=yes", "WEAK=configuration"]
        default_ulimits = ["nofile=123:456"]
        default_capabilities = ["CHOWN", "NET_RAW"]
        default_sysctls = ["net.ipv4.ip_forward=1"]
        tz = "Asia/Tokyo"
        umask = "0027"
        shm_size = "4096k"
        log_driver = "k8s-file"
        http_proxy = false
    """
    script = (
        "echo $CONFIGURED $WEAK; ulimit -n; ulimit -Hn; date +%Z; umask; echo ${http_proxy-none};"
        "df -k /dev/shm | tail -1; cat /proc/sys/net/ipv4/ip_forward;"
        "grep CapEff /proc/self/status"
    )
    lines = configured(
        text, *RUN, "-e", "WEAK=option", *SHELL, script, env={"http_proxy": "http://proxy:1"}
    ).lines
    assert lines[:6] == ["yes option", "123", "456", "JST", "0027", "none"]
    assert lines[6].split()[1] in {"4000", "4096"}  # in thousands of bytes, and to whole pages
    assert lines[7] == "1"
    assert int(lines[8].split()[1], 16) == 1 << 0 | 1 << 13


def test_options_are_stronger(configured: Configured) -> None:
    text = """
        [containers]
        default_ulimits = ["nofile=123:456"]
        default_sysctls = ["net.ipv4.ip_forward=1"]
        tz = "Asia/Tokyo"
        umask = "0027"
        init = true
        ipcns = "host"
        utsns = "host"
        netns = "host"
    """
    options = ["--ulimit", "nofile=99:99", "--sysctl", "net.ipv4.ip_forward=0", "--tz", "UTC"]
    options += [
        "--umask",
        "0022",
        "--init=false",
        "--ipc",
        "private",
        "--uts",
        "private",
        "-h",
        "mine",
    ]
    script = "ulimit -n; cat /proc/sys/net/ipv4/ip_forward; date +%Z; umask; echo $$; hostname"
    lines = configured(text, *RUN, *options, *SHELL, script).lines
    assert lines == ["99", "0", "UTC", "0022", "1", "mine"]


def test_namespaces(configured: Configured) -> None:
    text = '[containers]\nutsns = "host"\nnetns = "host"\npidns = "host"\n'
    kinds = ("uts", "net", "pid")
    script = "; ".join(f"readlink /proc/self/ns/{kind}" for kind in kinds)
    lines = configured(text, "run", "--rm", *SHELL, script).lines
    assert lines == [os.readlink(f"/proc/self/ns/{kind}") for kind in kinds]


def test_user_namespace(configured: Configured) -> None:
    text = '[containers]\nuserns = "keep-id"\n'
    assert configured(text, *RUN, "busybox", "id", "-u").out == str(os.getuid())
    assert configured(text, *RUN, "--userns", "host", "busybox", "id", "-u").out == "0"


def test_volumes_and_devices(configured: Configured, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("here")
    text = f"""
        [containers]
        volumes = ["{tmp_path}:/configured:ro", "named:/named"]
        devices = ["/dev/null:/dev/mine:rwm"]
        annotations = ["a=1"]
    """
    script = "cat /configured/file; touch /configured/x 2>/dev/null || echo; ls -d /named /dev/mine"
    lines = configured(text, *RUN, *SHELL, script).lines
    assert lines == ["here", "/dev/mine", "/named"]
    more = ["-v", f"{tmp_path}:/other", "--device", "/dev/zero:/dev/other"]
    script = "ls -d /configured /other /dev/mine /dev/other"
    assert configured(text, *RUN, *more, *SHELL, script).lines == sorted(script.split()[2:])
    number = configured(text, "create", "busybox").out
    template = '{{index .Config.Annotations "a"}}'
    assert configured(text, "inspect", "-f", template, number).out == "1"


def test_names_and_resolvers(configured: Configured) -> None:
    text = """
        [containers]
        dns_servers = ["192.0.2.7"]
        dns_searches = ["configured.example"]
        dns_options = ["ndots:3"]
    """
    script = "grep -v '^#' /etc/resolv.conf"
    lines = configured(text, "run", "--rm", *SHELL, script).lines
    assert {"nameserver 192.0.2.7", "search configured.example", "options ndots:3"} <= set(lines)
    text = "[containers]\nno_hosts = true\n"
    assert configured(text, "run", "--rm", *SHELL, "ls /etc/hosts || true").stdout == ""


@pytest.mark.not_podman("it takes the configured ones as well")
def test_typed_resolvers_replace_configured_ones(configured: Configured) -> None:
    text = '[containers]\ndns_servers = ["192.0.2.7"]\ndns_searches = ["configured.example"]\n'
    words = ["--dns", "192.0.2.8", "--dns-search", "option.example"]
    out = configured(text, "run", "--rm", *words, "busybox", "cat", "/etc/resolv.conf")
    assert out.lines == ["search option.example", "nameserver 192.0.2.8"]


def test_address_of_the_host(configured: Configured) -> None:
    text = '[containers]\nhost_containers_internal_ip = "192.0.2.9"\n'
    hosts = configured(text, "run", "--rm", "busybox", "cat", "/etc/hosts").lines
    assert any(line.split()[:2] == ["192.0.2.9", "host.containers.internal"] for line in hosts)


@pytest.mark.not_podman("4.3 does not have it yet")
def test_base_of_hosts(configured: Configured, tmp_path: Path) -> None:
    (tmp_path / "hosts").write_text("192.0.2.5 configured\n")
    text = f'[containers]\nbase_hosts_file = "{tmp_path}/hosts"\n'
    assert "192.0.2.5" in configured(text, "run", "--rm", "busybox", "cat", "/etc/hosts").stdout


def test_logs_and_stopping(configured: Configured) -> None:
    text = """
        [containers]
        log_size_max = 10000
        pids_limit = 77
        [engine]
        stop_timeout = 3
    """
    words = (
        "run",
        "--network",
        "none",
        "--name",
        "w",
        *SHELL,
        "i=0; while [ $i -lt 600 ]; do echo $i; i=$((i+1)); done",
    )
    assert len(configured(text, *words).lines) == 600
    assert 0 < len(configured(text, "logs", "w").lines) < 600
    assert configured(text, "inspect", "-f", "{{.Config.StopTimeout}}", "w").out == "3"


def test_log_driver_none(configured: Configured, pod: Engine) -> None:
    text = '[containers]\nlog_driver = "none"\n'
    words = ("run", "--network", "none", "--name", "q", "busybox", "echo", "seen")
    assert configured(text, *words).out == "seen"
    pod("logs", "q", status=125)


def test_seccomp_profile(configured: Configured, tmp_path: Path) -> None:
    profile = tmp_path / "profile.json"
    rule = {"names": ["mkdir", "mkdirat"], "action": "SCMP_ACT_ERRNO", "errnoRet": 28}
    architectures = ["SCMP_ARCH_X86_64", "SCMP_ARCH_AARCH64"]
    profile.write_text(
        json.dumps(
            {"defaultAction": "SCMP_ACT_ALLOW", "architectures": architectures, "syscalls": [rule]}
        )
    )
    text = f'[containers]\nseccomp_profile = "{profile}"\n'
    result = configured(text, *RUN, "busybox", "mkdir", "/x", status=1)
    assert "No space left" in result.stderr
    option = ["--security-opt", "seccomp=unconfined"]
    configured(text, *RUN, *option, "busybox", "mkdir", "/x")


@pytest.mark.not_podman("4.3 does not have them yet")
def test_newer_keys(configured: Configured) -> None:
    text = """
        [containers]
        read_only = true
        privileged = true
        oom_score_adj = 500
        mounts = ["type=tmpfs,dst=/configured,tmpfs-mode=0711"]
        keyring = false
        init = true
    """
    script = (
        "echo $$; touch /x 2>/dev/null || echo read-only; grep Seccomp: /proc/self/status;"
        "cat /proc/self/oom_score_adj; stat -c %a /configured; grep -c _ses /proc/keys || true"
    )
    lines = configured(text, *RUN, *SHELL, script).lines
    assert lines[:2] == ["2", "read-only"]
    assert [lines[2].split()[1], *lines[3:5]] == ["0", "500", "711"]


@pytest.mark.not_podman("4.3 does nothing with it")
def test_environment_of_the_caller(configured: Configured) -> None:
    text = "[containers]\nenv_host = true\n"
    assert "MINE=1" in configured(text, *RUN, "busybox", "env", env={"MINE": "1"}).lines


def test_pull_policy(configured: Configured) -> None:
    text = '[engine]\npull_policy = "always"\n'
    assert "Trying to pull" in configured(text, *RUN, "busybox", "true").stderr
    assert configured(text, *RUN, "--pull", "never", "busybox", "true").stderr == ""
    text = '[engine]\npull_policy = "never"\n'
    assert "nowhere" in configured(text, *RUN, "nowhere", "true", status=125).stderr


@pytest.mark.not_podman("4.3 wants the transport on the command line, too")
def test_default_transport(configured: Configured, pod: Engine, tmp_path: Path) -> None:
    archive = str(tmp_path / "archive.tar")
    pod("save", "--format", "oci-archive", "-o", archive, "busybox")
    text = '[engine]\nimage_default_transport = "oci-archive:"\n'
    number = pod("inspect", "--type", "image", "-f", "{{.Id}}", "busybox").out
    assert configured(text, "pull", "-q", archive).out == number


def test_runtime_paths(configured: Configured, tmp_path: Path) -> None:
    link = tmp_path / "mine"
    link.symlink_to("/usr/bin/crun")
    text = f'[engine.runtimes]\nmine = ["/no/such", "{link}"]\n[engine]\nruntime = "mine"\n'
    number = configured(text, "create", "--network", "none", "busybox", "echo", "by mine").out
    assert configured(text, "start", "-a", number).out == "by mine"
    assert configured(text, "inspect", "-f", "{{.OCIRuntime}}", number).out == "mine"


@pytest.mark.not_podman("it has no pasta, and looks for slirp4netns in another place")
def test_helper_paths(configured: Configured, tmp_path: Path) -> None:
    words = ("run", "--rm", "busybox", "true")
    program, told = tmp_path / "slirp4netns", tmp_path / "told"
    program.write_text(f'#!/bin/sh\necho "$@" > {told}\nexec /usr/bin/slirp4netns "$@"\n')
    program.chmod(0o755)
    text = f"""
        [network]
        default_rootless_network_cmd = "slirp4netns"
        [engine]
        helper_binaries_dir = ["{tmp_path}"]
        network_cmd_options = ["mtu=1300"]
    """
    configured(text, *words)
    assert "--mtu=1300" in told.read_text()
    told.unlink()
    other = tmp_path / "slirp4netns-other"
    program.rename(other)
    configured("", "--network-cmd-path", str(other), *words)
    assert "--mtu=65520" in told.read_text()


def test_environment_for_the_engine_itself(configured: Configured) -> None:
    text = '[engine]\nenv = ["http_proxy=http://configured:1"]\n'
    lines = configured(text, *RUN, "busybox", "env").lines
    assert "http_proxy=http://configured:1" in lines
    lines = configured(text, *RUN, "busybox", "env", env={"http_proxy": "http://mine:1"}).lines
    assert "http_proxy=http://mine:1" in lines


# Files


@pytest.mark.not_podman("4.3 does not have it yet")
def test_override_comes_last(configured: Configured, tmp_path: Path) -> None:
    last = tmp_path / "last.conf"
    last.write_text('[containers]\numask = "0077"\n')
    text = '[containers]\numask = "0027"\ntz = "Asia/Tokyo"\n'
    environment = {"CONTAINERS_CONF_OVERRIDE": str(last)}
    lines = configured(text, *RUN, *SHELL, "umask; date +%Z", env=environment).lines
    assert lines == ["0077", "JST"]


@pytest.mark.not_podman("4.3 has no modules")
def test_module(configured: Configured, tmp_path: Path) -> None:
    module = tmp_path / "module.conf"
    module.write_text('[containers]\numask = "0077"\n')
    assert configured("", "--module", str(module), *RUN, *SHELL, "umask").out == "0077"
    result = configured("", "--module", "/no/such.conf", *RUN, *SHELL, "umask", status=125)
    assert "/no/such.conf" in result.stderr


@pytest.mark.not_podman("it names neither the line nor the key of most mistakes")
@pytest.mark.parametrize(
    ("text", "line", "named"),
    [
        ("[containers]\ntz = 5\n", 2, "containers.tz"),
        ("[containers]\n\ninit = 'yes'\n", 3, "containers.init"),
        ("[engine]\npull_policy = 'sometimes'\n", 2, "engine.pull_policy"),
        ("[containers]\nvolumes = ['/a:b']\n", 2, "containers.volumes"),
        ("[containers]\ncgroups = 'some'\n", 2, "containers.cgroups"),
    ],
)
def test_mistake_names_file_line_and_key(
    configured: Configured, text: str, line: int, named: str
) -> None:
    result = configured(text, *RUN, "busybox", "true", status=125)
    assert f"containers.conf', line {line}: key '{named}'" in result.stderr


@pytest.mark.not_podman("it speaks of them at another level")
def test_keys_without_effect_are_told_to_those_who_ask(configured: Configured) -> None:
    text = "[containers]\nnonsense = 1\nlog_path = '/x'\n[engine]\ncompression_level = 3\n"
    assert configured(text, "ps").stderr == ""
    told = configured(text + "# changed\n", "ps", "--log-level=debug").stderr
    assert "'containers.nonsense' is unknown" in told
    assert "'containers.log_path' has no effect" in told
    assert "'engine.compression_level' has no effect in this version" in told


@pytest.mark.not_podman("it keeps its own store there")
def test_storage_conf_says_where_everything_is(pod: Engine, tmp_path: Path) -> None:
    root, runroot = tmp_path / "root", tmp_path / "runroot"
    file = tmp_path / "storage.conf"
    file.write_text(f'[storage]\ngraphroot = "{root}"\nrunroot = "{runroot}"\n')
    environment = {**pod.environment, "CONTAINERS_STORAGE_CONF": str(file)}
    plain = Engine(pod.command, "", "", environment)
    document = plain("info", "--format", "json").json()
    assert document["store"]["graphRoot"] == f"{root}/pod"
    assert document["store"]["runRoot"] == f"{runroot}/pod"
    assert plain("images", "-q").stdout == ""


@pytest.mark.not_podman("4.3 does nothing with it")
def test_credentials_in_the_directory_of_config(
    fresh_pod: Engine, registry_with: Callable[..., Registry], tmp_path: Path
) -> None:
    """--config is docker's: a directory with credentials, and no place of settings."""
    server = registry_with(users={"alice": "secret"})
    server.have("busybox")
    name = f"{server.host}/library/busybox"
    fresh_pod("pull", "--tls-verify=false", name, status=125)
    token = base64.b64encode(b"alice:secret").decode()
    (tmp_path / "config.json").write_text(json.dumps({"auths": {server.host: {"auth": token}}}))
    fresh_pod("--config", str(tmp_path), "pull", "-q", "--tls-verify=false", name)
    fresh_pod("rmi", name)
