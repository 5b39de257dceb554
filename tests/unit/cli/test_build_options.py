"""The options of `pod build`: what each value means, and that wrong ones are named before anything is done."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from pod.base.errors import PodError
from pod.build.options import BuildOptions, CacheStore, NamedContext, Output, SecretSource
from pod.cli.commands.build import COMMAND
from pod.cli.declare import Option
from pod.cli.globals import GLOBAL_OPTIONS
from pod.cli.options.build_values import read_build
from pod.cli.parse import parse_command, parse_options
from pod.engine.context import Engine

Read = Callable[..., BuildOptions]
GARBAGE = "-17x::?=/"
# Options that take every text: names of things, files that are read or written later, words for others.
FREE = set(
    """
    annotation build-arg cache-from cgroup-parent cpp-flag creds dns-option env file ignorefile
    iidfile label layer-label logfile metadata-file no-cache-filter os-feature os-version runtime runtime-flag target
    unsetannotation unsetenv unsetlabel
    """.split()
) - {"cache-from"}


@pytest.fixture
def read(tmp_path: object, monkeypatch: pytest.MonkeyPatch) -> Read:
    """What `pod build OPTIONS .` asks for."""
    engine = Engine(root=f"{tmp_path}/root", runroot=f"{tmp_path}/run")
    monkeypatch.chdir(str(tmp_path))

    def read_options(*options: str) -> BuildOptions:
        outer = parse_options(GLOBAL_OPTIONS, [], "pod", interspersed=False)
        return read_build(parse_command(COMMAND, [*options, "."], "pod build", outer), engine)

    return read_options


@pytest.mark.parametrize(
    "option",
    [
        pytest.param(option, id=option.flags[-1])
        for option in COMMAND.options
        if not option.refused
        and option.kind != "flag"
        and option.flags[-1].removeprefix("--") not in FREE
    ],
)
def test_a_wrong_value_is_named_with_its_option(option: Option, read: Read) -> None:
    flag = option.flags[-1]
    with pytest.raises(PodError) as caught:
        read(f"{flag}={GARBAGE}")
    assert flag in caught.value.message and caught.value.exit_status == 125
    assert GARBAGE in caught.value.message or flag in {"--sbom", "--provenance"}
    assert len(caught.value.message) > len(flag) + len(GARBAGE) + 25 or caught.value.hint


@pytest.mark.parametrize("name", sorted(FREE))
def test_free_options_take_every_text(name: str, read: Read) -> None:
    read(f"--{name}={GARBAGE}")


@pytest.mark.parametrize(
    "option",
    [pytest.param(option, id=option.flags[-1]) for option in COMMAND.options if option.refused],
)
def test_refused_ones_say_why_in_a_sentence(option: Option, read: Read) -> None:
    with pytest.raises(PodError, match=f"flag '{option.flags[-1]}' is not supported: .{{10}}"):
        read(f"{option.flags[-1]}=1")


@pytest.mark.parametrize(
    ("typed", "named"),
    [
        ("--squash --squash-all", "--squash --squash-all"),
        ("--timestamp 1 --source-date-epoch 1", "--timestamp --source-date-epoch"),
        ("--platform linux/arm64 --arch arm64", "--platform --arch"),
        ("--manifest a --output b", "--manifest --output"),
        ("--push --output b", "--push --output"),
        ("--push", "name"),
        ("--output type=image,push=true", "name"),
        ("--logsplit", "--logsplit --logfile"),
        ("--rewrite-timestamp", "--rewrite-timestamp --source-date-epoch"),
        ("--memory-swap 10m", "--memory-swap --memory"),
        ("--no-hosts --add-host a:1.2.3.4", "--no-hosts --add-host"),
        ("--ipc host --shm-size 1m", "--ipc=host --shm-size"),
        ("--disable-compression=false", "--disable-compression=false"),
        ("--userns keep-id", "--userns"),
        ("--isolation chroot", "--isolation"),
        ("--sbom true", "--sbom"),
        ("--provenance=mode=max", "--provenance"),
        ("--output - --output type=oci", "--output"),
        ("-t a@sha256:0", "--tag"),
        ("-t A", "--tag"),
        ("--secret id=none,src=/none", "--secret /none"),
        ("--secret id=x,env=NOT_SET_AT_ALL", "--secret NOT_SET_AT_ALL"),
        ("--secret src=/etc/passwd", "--secret id"),
        ("--secret id=x,src=/etc/passwd,what=1", "--secret what"),
        ("--ssh x=/none", "--ssh /none"),
        ("--build-context x=/none", "--build-context /none"),
        ("--build-context x", "--build-context"),
        ("--output type=local", "--output dest"),
        ("--output type=nope,dest=x", "--output"),
        ("--output type=tar,dest=x,compression=zstd", "--output compression"),
        ("--cache-to type=gha", "--cache-to"),
        ("--cache-to type=local,src=x", "--cache-to src"),
        ("--cache-from type=inline", "--cache-from"),
        ("--cache-from type=registry,ref=a,mode=huge", "--cache-from mode"),
    ],
)
def test_what_cannot_be_is_named(
    typed: str, named: str, read: Read, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("SOURCE_DATE_EPOCH", raising=False)
    with pytest.raises(PodError) as caught:
        read(*typed.split())
    assert caught.value.exit_status == 125
    for word in named.split():
        assert word in caught.value.message


def test_steps_get_what_containers_get(read: Read) -> None:
    run = read(
        *"--memory 64m --cpus 1.5 --cap-add SYS_ADMIN --cap-drop chown --network none --ulimit nofile=10".split(),
        *"--shm-size 1m --pid host --volume /etc:/x:ro --group-add 5 --add-host a:1.2.3.4".split(),
        *"--security-opt no-new-privileges --device /dev/null --userns private".split(),
    ).run
    assert run.resources.memory == 64 << 20 and run.resources.cpu_quota == 150000
    assert (run.add_capabilities, run.drop_capabilities) == (("CAP_SYS_ADMIN",), ("CAP_CHOWN",))
    assert run.networking.network.mode == "none" and run.networking.hosts == ("a:1.2.3.4",)
    assert (run.shm_size, run.pid.mode, run.groups) == (1 << 20, "host", ("5",))
    assert (run.mounts[0].target, run.mounts[0].read_only) == ("/x", True)
    assert run.security.no_new_privileges and run.ulimits[0].name == "nofile"
    assert run.devices[0].source == "/dev/null" and run.userns.mode == ""


def test_arguments_come_from_the_line_the_environment_and_files(
    read: Read, tmp_path: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TAKEN", "over")
    monkeypatch.delenv("MISSING", raising=False)
    with open(f"{tmp_path}/args", "w", encoding="utf-8") as file:
        file.write("# a comment\n\nA=file\nB=x=y\n")
    options = read("--build-arg-file", "args", *"--build-arg A=line --build-arg TAKEN".split())
    assert options.arguments == {"A": "line", "B": "x=y", "TAKEN": "over"}
    assert read("--build-arg", "MISSING").arguments == {}
    with open(f"{tmp_path}/args", "a", encoding="utf-8") as file:
        file.write("nothing\n")
    with pytest.raises(PodError, match="line 5 of 'args' is not NAME=VALUE"):
        read("--build-arg-file", "args")


def test_names_become_full(read: Read) -> None:
    options = read(*"-t web -t quay.io/me/web:2 --manifest all".split())
    assert options.tags == ("localhost/web:latest", "quay.io/me/web:2")
    assert options.manifest == "localhost/all:latest"


@pytest.mark.parametrize(
    ("typed", "expected"),
    [
        ("out", Output("local", "{here}/out")),
        ("-", Output("tar", "-")),
        ("type=tar,dest=a.tar", Output("tar", "{here}/a.tar")),
        ("type=oci,dest=d,tar=false", Output("oci", "{here}/d", tar=False)),
        ("type=docker", Output("docker")),
        ("type=image,name=a", Output("image", name="a")),
        ("type=registry,name=a", Output("image", name="a", push=True)),
        ("type=cacheonly", Output("none")),
    ],
)
def test_outputs(typed: str, expected: Output, read: Read, tmp_path: object) -> None:
    found = read("--output", typed).outputs
    assert found == (expected.replace(dest=expected.dest.replace("{here}", str(tmp_path))),)


@pytest.mark.parametrize(
    ("typed", "expected"),
    [
        ("x=.", NamedContext("x", "directory", "{here}")),
        ("X=docker-image://alpine:3", NamedContext("x", "image", "alpine:3")),
        ("x=container-image://a", NamedContext("x", "image", "a")),
        ("x=oci-layout://d:tag", NamedContext("x", "oci-layout", "{here}/d:tag")),
        ("x=https://h/r.git#a:b", NamedContext("x", "git", "https://h/r.git#a:b")),
        ("x=https://h/a.tar", NamedContext("x", "url", "https://h/a.tar")),
    ],
)
def test_named_contexts(typed: str, expected: NamedContext, read: Read, tmp_path: object) -> None:
    value = expected.value.replace("{here}", str(tmp_path))
    assert read("--build-context", typed).contexts == (expected.replace(value=value),)


def test_caches(read: Read) -> None:
    options = read(
        *"--cache-from quay.io/me/c --cache-from type=local,src=d".split(),
        *"--cache-to type=registry,ref=quay.io/me/c,mode=max --cache-to type=inline".split(),
    )
    assert options.cache_from[0] == CacheStore("registry", "quay.io/me/c")
    assert options.cache_from[1].kind == "local" and options.cache_from[1].place.endswith("/d")
    assert options.cache_to == (
        CacheStore("registry", "quay.io/me/c", whole=True),
        CacheStore("inline", ""),
    )


def test_secrets_come_from_files_and_variables(
    read: Read, tmp_path: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TOKEN", "t")
    monkeypatch.delenv("file", raising=False)
    with open(f"{tmp_path}/file", "w", encoding="utf-8"):
        pass
    given = "id=a,src=file id=b,env=TOKEN TOKEN file type=env,id=TOKEN".split()
    options = read(*(word for text in given for word in ("--secret", text)))
    file = f"{tmp_path}/file"
    assert options.secrets == (
        SecretSource("a", "file", file),
        SecretSource("b", "env", "TOKEN"),
        SecretSource("TOKEN", "env", "TOKEN"),
        SecretSource("file", "file", file),
        SecretSource("TOKEN", "env", "TOKEN"),
    )


def test_several_platforms_are_one_list_without_repetition(read: Read) -> None:
    typed = "--platform linux/amd64,linux/arm64 --platform linux/arm64 --platform linux/arm/v7"
    assert read(*typed.split()).platforms == ("linux/amd64", "linux/arm64", "linux/arm/v7")
    assert read("--arch", "arm64").platforms == ("linux/arm64",)


def test_pull_alone_means_always(read: Read) -> None:
    assert (read().pull, read("--pull").pull, read("--pull=newer").pull) == (
        "missing",
        "always",
        "newer",
    )


def test_the_environment_sets_defaults(read: Read, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "7")
    monkeypatch.setenv("BUILDAH_FORMAT", "docker")
    monkeypatch.setenv("BUILDAH_LAYERS", "false")
    options = read()
    assert (options.source_date_epoch, options.format, options.layers) == (7, "docker", False)
    assert read("--timestamp", "1").source_date_epoch is None
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "tomorrow")
    with pytest.raises(PodError, match="SOURCE_DATE_EPOCH 'tomorrow'"):
        read()
