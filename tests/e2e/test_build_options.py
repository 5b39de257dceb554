"""What the command line of `pod build` says, where it has to arrive: in RUN, in the image, in files."""

from __future__ import annotations

import json
import os
import re
import tarfile
from pathlib import Path

import pytest

from tests.e2e.test_build_wild import agent  # noqa: F401  # a fixture
from tests.integration.image.faulty import FaultyRegistry, Reply, small_layer
from tests.support.build import Context, text_of_all_files
from tests.support.checks import nothing_wrong
from tests.support.engine import Engine

NONE = "--network=none"
OURS = pytest.mark.not_podman("its own option, words or files")


@pytest.fixture
def context(pod: Engine, tmp_path: Path) -> Context:
    return Context(pod, tmp_path / "context")


# What RUN gets


def said_by(context: Context, script: str, *options: str) -> list[str]:
    """The lines that a RUN of this script has written."""
    context.build(f"FROM busybox\nRUN ({script}) > /said 2>&1\n", "--no-cache", *options)
    return context.run("cat", "/said").splitlines()


def test_limits_and_capabilities_arrive(context: Context) -> None:
    script = "ulimit -n; ulimit -Hn; df -k /dev/shm | tail -1; grep CapEff /proc/self/status"
    options = (
        "--ulimit=nofile=99:100",
        "--shm-size=3m",
        "--cap-drop=chown",
        "--cap-add=sys_ptrace",
    )
    soft, hard, shm, caps = said_by(context, script, NONE, *options)
    assert (soft, hard, shm.split()[1]) == ("99", "100", "3072")
    assert (
        int(caps.split()[1], 16) & (1 << 0 | 1 << 19) == 1 << 19
    )  # capabilities(7): CHOWN and SYS_PTRACE


def test_names_and_name_servers_arrive(context: Context) -> None:
    """And none of them is in the image."""
    script = "grep far /etc/hosts; cat /etc/resolv.conf"
    options = "--add-host=far:10.1.2.3 --dns=10.9.9.9 --dns-search=example.org --dns-option=ndots:3"
    said = said_by(context, script, *options.split())
    assert said[0].split() == ["10.1.2.3", "far"]
    assert {"nameserver 10.9.9.9", "search example.org", "options ndots:3"} <= set(said)
    assert "far" not in context.run("sh", "-c", "cat /etc/hosts; true")


def test_volumes_and_devices_arrive(context: Context, tmp_path: Path) -> None:
    """What is written to a volume is there, and not in the image; one that is not for writing is not written to."""
    for name in ("in", "out"):
        (tmp_path / name).mkdir(mode=0o777)
        (tmp_path / name).chmod(0o777)
    (tmp_path / "in/file").write_text("from outside\n")
    script = "cat /in/file; touch /in/x || echo closed; echo inside > /out/made; test -c /dev/fuse && echo fuse"
    options = (f"--volume={tmp_path}/in:/in:ro", f"-v={tmp_path}/out:/out", "--device=/dev/fuse")
    said = said_by(context, script, NONE, *options)
    assert said[0] == "from outside" and said[-2:] == ["closed", "fuse"]
    assert (tmp_path / "out/made").read_text() == "inside\n"
    listed = context.run("sh", "-c", "ls -A /out /in 2>/dev/null; true")
    assert "made" not in listed and "file" not in listed


@pytest.mark.needs_kernel("memory controller")
@pytest.mark.needs_kernel("cpu controller")
def test_limits_of_the_cgroup_arrive(context: Context) -> None:
    script = "cd /sys/fs/cgroup; cat memory.max cpu.max"
    said = said_by(context, script, NONE, "--memory=64m", "--cpus=0.5")
    assert said == [str(64 << 20), "50000 100000"]


@OURS
def test_limits_that_cannot_be_had_are_named_once(context: Context, pod: Engine) -> None:
    """The same ones as for a container, which depends on the machine; for two commands together."""
    text = "FROM busybox\nRUN echo a > /a\nRUN echo b > /b\n"
    done = context.build(text, NONE, "--no-cache", "--memory=64m", "--cpuset-cpus=0")
    names = set(re.findall(r"limit (\S+) of commands is not applied", done.stderr))
    warned = pod("run", "--rm", NONE, "--memory=64m", "--cpuset-cpus=0", "busybox", "true").stderr
    assert names == set(re.findall(r"limit (\S+) of container '\S+' is not applied", warned))
    assert done.stderr.count("is not applied") == len(names)


@OURS
def test_namespaces_groups_and_names_arrive(context: Context) -> None:
    script = "readlink /proc/self/ns/ipc; readlink /proc/self/ns/uts; id -G; cat /etc/hosts 2>/dev/null | wc -c"
    ipc, uts, groups, hosts = said_by(
        context, script, NONE, "--ipc=host", "--uts=host", "--group-add=42", "--no-hosts"
    )
    assert ipc == os.readlink("/proc/self/ns/ipc") and uts == os.readlink("/proc/self/ns/uts")
    assert "42" in groups.split() and hosts == "0"


def test_standard_input_is_read_where_it_was_asked_for(context: Context, pod: Engine) -> None:
    text = "FROM busybox\nRUN cat > /said; wc -c < /said\n"
    context.build(text, NONE)
    assert context.run("wc", "-c", "/said").split()[0] == "0"
    words = ("build", "-t", "made", NONE, "--no-cache", "--stdin", str(context.directory))
    pod(*words, stdin="typed in\n")
    assert context.run("cat", "/said") == "typed in"


# Names of contexts


NAMED = (
    "FROM base AS it\n"
    "COPY --from=files /f /f\n"
    "RUN --mount=type=bind,from=files,target=/m cat /m/f /f /etc/mark > /said\n"
)


@OURS  # 4.3 gives FROM no name of a context, and mounts of none
@pytest.mark.parametrize("kind", ["docker-image", "container-image", "docker", "oci-layout"])
def test_images_and_directories_as_named_contexts(
    context: Context, pod: Engine, tmp_path: Path, kind: str
) -> None:
    context.write({"other/f": "of the directory\n"})
    context.build(f"FROM busybox\nRUN echo {kind} > /etc/mark\n", NONE, tag="marked:1")
    place = f"{kind}://localhost/marked:1"
    if kind == "oci-layout":
        pod("save", "-q", "--format=oci-dir", "-o", str(tmp_path / "layout"), "marked:1")
        place = f"oci-layout://{tmp_path}/layout"
        pod("rmi", "marked:1")
    options = (f"--build-context=base={place}", f"--build-context=files={context.directory}/other")
    context.build(NAMED, NONE, *options)
    assert context.run("cat", "/said") == f"of the directory\nof the directory\n{kind}"
    (context.directory / "other/f").write_text("changed\n")
    again = context.build(NAMED, NONE, *options)
    assert "Using cache" not in again.stderr
    assert context.run("cat", "/said") == f"changed\nchanged\n{kind}"


def test_named_context_comes_before_an_image_of_that_name(context: Context) -> None:
    context.write({"other/f": "of the directory\n"})
    text = "FROM busybox\nCOPY --from=alpine /f /f\n"
    context.build(text, NONE, f"--build-context=alpine={context.directory}/other")
    assert context.run("cat", "/f") == "of the directory"


# Secrets and agents


@OURS
def test_secret_is_nowhere_afterwards(context: Context, pod: Engine, tmp_path: Path) -> None:
    """Neither in the store with its layers, history and cache keys, nor in run directories, logs and what was said."""
    # Long and odd enough to be found as it is, in hexadecimal or in base64 parts.
    secret = f"5ecret-{os.urandom(16).hex()}"
    path = tmp_path / "secret"
    path.write_text(secret)
    log = tmp_path / "log"
    text = (
        "FROM busybox\n"
        "RUN --mount=type=secret,id=file --mount=type=secret,id=variable,target=/there,mode=0444 "
        "--mount=type=secret,id=variable,env=TOKEN "
        'cmp /run/secrets/file /there && [ "$TOKEN" = "$(cat /there)" ] && '
        "echo ${#TOKEN} > /length\n"
        "RUN [ ! -e /run/secrets/file ] && [ ! -e /there ] && [ -z $TOKEN ]\n"
    )
    options = (f"--secret=id=file,src={path}", "--secret=id=variable,env=VARIABLE")
    environment = {"VARIABLE": secret}
    done = context.build(text, NONE, *options, f"--logfile={log}", env=environment)
    shown = context.build(text, NONE, *options, "--explain", "--no-cache", env=environment)
    debug = pod("--log-level=debug", "build", NONE, "--no-cache", *options,
                str(context.directory), env=environment)  # fmt: skip
    assert context.run("cat", "/length") == str(len(secret))
    history = pod("history", "--no-trunc", "made").out + pod("image", "inspect", "made").out
    said = done.stderr + done.stdout + shown.stderr + debug.stderr + history + log.read_text()
    needle = secret.encode()
    places = [text_of_all_files(place) for place in (pod.root, pod.runroot)]
    for form in (needle, needle.hex().encode()):
        assert form not in said.encode()
        assert not any(form in found for found in places)
    archive = tmp_path / "it.tar"
    pod("save", "-q", "-o", str(archive), "made")
    with tarfile.open(archive) as found:
        for entry in found:
            data = found.extractfile(entry)
            assert data is None or needle not in data.read()
    # Another secret is no reason to execute a step again, docs "Build secrets".
    path.write_text("another")
    again = context.build(text, NONE, *options, env={"VARIABLE": "another"})
    assert again.stderr.count("Using cache") == 2


def test_agent_of_the_caller_is_asked(
    pod: Engine,
    context: Context,
    agent: tuple[str, str],  # noqa: F811
) -> None:
    """A real one, by the variable that everybody has it in, under the usual name and another."""
    pod.have("tools")
    text = (
        "FROM tools\nRUN --mount=type=ssh ssh-add -l > /one\n"
        "RUN --mount=type=ssh,id=mine ssh-add -l > /two\n"
        'RUN [ -z "$SSH_AUTH_SOCK" ] && [ ! -e /run/buildkit/ssh_agent.0 ]\n'
    )
    options = (NONE, "--no-cache", "--ssh=default", f"--ssh=mine={agent[0]}")
    context.build(text, *options, env={"SSH_AUTH_SOCK": agent[0]})
    assert context.run("cat", "/one", "/two").count(agent[1]) == 2
    nothing_wrong(pod)


# What goes in


@OURS
def test_arguments_come_from_files_too(context: Context, tmp_path: Path) -> None:
    """What the command line says comes first; a name alone is a variable of the caller."""
    (tmp_path / "arguments").write_text("# a comment\nA=file\n\nB=file with blanks\n")
    text = 'FROM busybox\nARG A\nARG B\nARG C\nRUN echo "$A,$B,$C" > /said\n'
    options = (f"--build-arg-file={tmp_path}/arguments", "--build-arg=A=typed", "--build-arg=C")
    context.build(text, NONE, *options, env={"C": "of the caller"})
    assert context.run("cat", "/said") == "typed,file with blanks,of the caller"


@OURS
def test_base_is_pulled_as_asked(context: Context, pod: Engine, server: FaultyRegistry) -> None:
    server.add_image("me/base:latest", [small_layer()])
    text = f"FROM {server.host}/me/base\nLABEL a=b\n"

    def asked(*options: str, status: int = 0) -> int:
        before = len(server.requests)
        context.build(text, "--tls-verify=false", *options, status=status)
        return len([it for it in server.requests[before:] if "/manifests/" in it.path])

    assert asked("--pull=never", status=125) == 0
    assert asked() > 0
    assert asked() == 0
    assert asked("--pull") > 0 and asked("--pull=newer") > 0
    server.fault("/manifests/", *[Reply(404)] * 4)
    asked("--pull=newer")  # what is here will do
    pod("rmi", "made", f"{server.host}/me/base")


# Files that are written, and what the image is like


def test_id_is_written_to_a_file(context: Context, pod: Engine, tmp_path: Path) -> None:
    context.build("FROM busybox\n", NONE, f"--iidfile={tmp_path}/id")
    identity = pod("image", "inspect", "--format", "{{.Id}}", "made").out
    assert (tmp_path / "id").read_text() == f"sha256:{identity}"
    result = context.build(
        "FROM busybox\nRUN false\n", NONE, f"--iidfile={tmp_path}/none", status=1
    )
    assert not (tmp_path / "none").exists(), result


def layers_of(pod: Engine, name: str) -> list[str]:
    (found,) = pod("image", "inspect", name).json()
    layers: list[str] = found["RootFS"]["Layers"]
    return layers


STEPS = "FROM busybox\nRUN echo 1 > /one\nRUN echo 2 > /two && rm /one\nENV A=b\n"


@pytest.mark.parametrize("how", ["--squash", "--squash-all", "--layers=false"])
def test_layers_become_one(context: Context, pod: Engine, how: str) -> None:
    pod.have("busybox")
    base = layers_of(pod, "busybox")
    context.build(STEPS, NONE, how)
    layers = layers_of(pod, "made")
    if how == "--squash-all":
        assert len(layers) == 1
    else:
        assert layers[:-1] == base
    assert context.run("sh", "-c", "cat /two; echo $A; ls /one 2>/dev/null; true") == "2\nb"
    context.build(STEPS, NONE, how)
    assert layers_of(pod, "made") == layers or pod.kind == "podman"
    nothing_wrong(pod)


def test_list_takes_one_image_more_with_each_build(context: Context, pod: Engine) -> None:
    for name in ("amd64", "arm64"):
        options = (f"--platform=linux/{name}", "--manifest=all")
        context.build(f"FROM scratch\nLABEL for={name}\n", NONE, *options, tag="")
    entries = pod("manifest", "inspect", "all").json()["manifests"]
    assert [it["platform"]["architecture"] for it in entries] == ["amd64", "arm64"]
    pod("manifest", "rm", "all")
    nothing_wrong(pod)


@pytest.mark.parametrize(
    ("options", "image", "old", "new"),
    [
        pytest.param(["--timestamp=86400"], 86400, 86400, 86400, id="timestamp"),
        pytest.param(
            ["--source-date-epoch=1600000000", "--rewrite-timestamp"],
            1600000000,
            1000000000,
            1600000000,
            id="rewrite",
            marks=OURS,
        ),
    ],
)
def test_times_are_as_asked(
    context: Context, pod: Engine, options: list[str], image: int, old: int, new: int
) -> None:
    """`old` is what becomes of a file of 2001, `new` of one of now."""
    context.write({"old": "old"})
    os.utime(context.directory / "old", (1e9, 1e9))
    context.build("FROM busybox\nCOPY old /old\nRUN echo 2 > /new\n", NONE, *options)
    (found,) = pod("image", "inspect", "made").json()
    assert found["Created"].startswith({86400: "1970-01-02", 1600000000: "2020-09-13"}[image])
    assert context.run("stat", "-c", "%Y", "/old", "/new").split() == [str(old), str(new)]


@OURS
def test_log_goes_to_a_file(context: Context, tmp_path: Path) -> None:
    """All of it, errors too; one for each platform where that was asked for."""
    log = tmp_path / "log"
    text = "FROM busybox\nRUN echo to be seen; exit 3\n"
    failed = context.build(text, NONE, f"--logfile={log}", status=3)
    assert "STEP" not in failed.stderr
    assert "Error: " in failed.stderr and "ended with status 3" in failed.stderr
    assert "to be seen" in log.read_text()
    text = "FROM --platform=$BUILDPLATFORM busybox\nARG TARGETARCH\nRUN echo for $TARGETARCH\n"
    platforms = "--platform=linux/amd64,linux/arm64"
    context.build(text, NONE, platforms, f"--logfile={log}", "--logsplit", tag="")
    for name in ("amd64", "arm64"):
        assert f"for {name}" in Path(f"{log}_linux_{name}").read_text()
    missing = context.build(text, f"--logfile={tmp_path}/none/log", status=125)
    assert "--logfile" in missing.stderr


@OURS
def test_metadata_is_written(context: Context, pod: Engine, tmp_path: Path) -> None:
    path = tmp_path / "about.json"
    identity = context.build("FROM busybox\nENV A=1\n", NONE, f"--metadata-file={path}").out
    found = json.loads(path.read_text())
    assert found["containerimage.config.digest"] == f"sha256:{identity}"
    (image,) = pod("image", "inspect", "made").json()
    assert found["containerimage.digest"] == image["Digest"]
    assert re.fullmatch("localhost/made:latest", found["image.name"])
