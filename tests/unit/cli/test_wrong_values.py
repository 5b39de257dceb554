"""Wrong values of options, and options that exclude each other: both are named, with what is allowed."""

from __future__ import annotations

import os
from collections.abc import Callable

import pytest

from pod.base.errors import PodError
from pod.cli import table
from pod.cli.commands.run import COMMAND as RUN
from pod.cli.commands.run import run_container
from pod.cli.declare import Arguments, Command, Option
from pod.cli.globals import GLOBAL_OPTIONS
from pod.cli.main import load_command, main
from pod.cli.options.attaching import read_detach_keys
from pod.cli.options.container import read_container
from pod.cli.options.image import pull_options
from pod.cli.options.process import read_descriptors
from pod.cli.parse import parse_command, parse_options
from pod.engine.context import Engine
from pod.spec.container import ContainerConfig

GARBAGE = "-17x::?=/"
# Options of run that take every text: names of things, words for others, files that are read or written later.
FREE = set(
    """
    annotation cgroup-parent cidfile conmon-pidfile creds dns-option entrypoint env env-merge
    health-cmd health-startup-cmd init-path label name passwd-entry pidfile requires sysctl tz unsetenv
        """.split()
)


def parse(command: Command, words: list[str]) -> Arguments:
    options = parse_options(GLOBAL_OPTIONS, [], "pod", interspersed=False)
    return parse_command(command, words, "pod run", options)


@pytest.fixture
def read(tmp_path: object) -> Callable[..., ContainerConfig]:
    """What `pod run OPTIONS busybox true` does before it looks for the image."""
    engine = Engine(root=f"{tmp_path}/root", runroot=f"{tmp_path}/run")

    def read_options(*options: str) -> ContainerConfig:
        arguments = parse(RUN, [*options, "busybox", "true"])
        config = read_container(arguments, engine)
        pull_options(arguments, engine.settings)
        read_detach_keys(arguments, engine)
        read_descriptors(arguments)
        return config

    return read_options


def wrong_values() -> list[object]:
    found = []
    for option in RUN.options:
        name = option.flags[-1].removeprefix("--")
        if not option.refused and option.kind != "flag" and name not in FREE:
            found.append(pytest.param(option, id=name))
    return found


@pytest.mark.parametrize("option", wrong_values())
def test_a_wrong_value_is_named_with_its_option(
    option: Option, read: Callable[..., ContainerConfig]
) -> None:
    flag = option.flags[-1]
    with pytest.raises(PodError) as caught:
        read(f"{flag}={GARBAGE}")
    assert flag in caught.value.message and GARBAGE in caught.value.message
    assert caught.value.exit_status == 125
    # And what is allowed: more than the two of them.
    assert len(caught.value.message) > len(flag) + len(GARBAGE) + 25 or caught.value.hint


@pytest.mark.parametrize("name", sorted(FREE))
def test_free_options_take_every_text(name: str, read: Callable[..., ContainerConfig]) -> None:
    read(f"--{name}={GARBAGE}", *([] if name != "env" else ["--env", "A=1"]))


def numbers_and_choices() -> list[object]:
    found = []
    for name, row in table.COMMANDS.items():
        for option in load_command(row[0]).options:
            if not option.refused and (option.kind == "number" or option.choices):
                found.append(pytest.param(name, option, id=f"{name} {option.flags[-1]}"))
    return found


@pytest.mark.parametrize(("name", "option"), numbers_and_choices())
def test_numbers_and_choices_are_checked_by_the_parser(name: str, option: Option) -> None:
    command = load_command(table.COMMANDS[name][0])
    with pytest.raises(PodError) as caught:
        parse(command, [f"{option.flags[-1]}={GARBAGE}", "x", "y"])
    assert option.flags[-1] in caught.value.message and GARBAGE in caught.value.message


CONFLICTS = [
    # what is typed, the two that must be named
    ("--rm --restart always", "--rm --restart"),
    ("--rm --restart unless-stopped", "--rm --restart"),
    ("--rmi --restart always", "--rm --restart"),
    ("--detach --attach stdout", "--detach --attach"),
    ("--replace", "--replace --name"),
    ("--no-hosts --add-host a:1.2.3.4", "--no-hosts --add-host"),
    ("--no-hosts --hosts-file none", "--no-hosts --hosts-file"),
    ("--network container:a --dns 1.1.1.1", "--network=container:a --dns"),
    ("--network container:a --dns-search a", "--network=container:a --dns-search"),
    ("--network container:a --dns-option a", "--network=container:a --dns-option"),
    ("--network container:a --add-host a:1.2.3.4", "--network=container:a --add-host"),
    ("--network container:a --hosts-file none", "--network=container:a --hosts-file"),
    ("--network none --dns 1.1.1.1", "--network=none --dns"),
    ("--network container:a --network host", "container:a host"),
    ("--uts host --hostname a", "--uts=host --hostname"),
    ("--uts host --domainname a", "--uts=host --domainname"),
    ("--uts container:a --hostname a", "--uts=container:a --hostname"),
    ("--ipc host --shm-size 1m", "--ipc=host --shm-size"),
    ("--ipc none --shm-size 1m", "--ipc=none --shm-size"),
    ("--ipc container:a --shm-size 1m", "--ipc=container --shm-size"),
    ("--cpus 1 --cpu-quota 1000", "--cpus --cpu-quota"),
    ("--cpus 1 --cpu-period 1000", "--cpus --cpu-period"),
    ("--memory-swap 10m", "--memory-swap --memory"),
    ("--memory 10m --memory-swap 5m", "--memory-swap --memory"),
    ("--memory 10m --memory-reservation 20m", "--memory-reservation --memory"),
    ("--uidmap 0:0:1 --userns keep-id", "--uidmap --userns"),
    ("--gidmap 0:0:1 --userns nomap", "--gidmap --userns"),
    ("--init --systemd always", "--init --systemd=always"),
    ("--passwd=false --passwd-entry x", "--passwd=false --passwd-entry"),
    ("--cgroups disabled --memory 10m", "--cgroups=disabled --memory"),
    ("--cgroups disabled --cgroup-parent a", "--cgroups=disabled --cgroup-parent"),
    ("--tty --log-driver passthrough", "--tty --log-driver=passthrough"),
    ("--log-driver none --log-opt max-size=1m", "none max-size"),
    ("--tmpfs /a --volume v:/a", "--tmpfs --volume"),
    ("--volume v:/a --volume w:/a", "v:/a w:/a"),
    ("--mount type=tmpfs,target=/a --volume w:/a", "type=tmpfs,target=/a w:/a"),
    ("--arch amd64 --platform linux/amd64", "--arch --platform"),
    ("--os linux --platform linux/amd64", "--os --platform"),
    ("--variant v7 --platform linux/amd64", "--variant --platform"),
    ("--cap-add ALL --cap-drop ALL", "--cap-add --cap-drop"),
    ("--cap-add CHOWN --cap-drop cap_chown", "--cap-add --cap-drop CHOWN"),
    ("--group-add keep-groups --group-add 5", "--group-add keep-groups"),
    ("--dns none --dns 1.1.1.1", "--dns=none --dns"),
    ("--rootfs --pull always", "--rootfs --pull"),
    ("--rootfs --platform linux/amd64", "--rootfs --platform"),
    ("--rootfs --image-volume tmpfs", "--rootfs --image-volume"),
]


@pytest.mark.parametrize(("typed", "named"), CONFLICTS, ids=[typed for typed, _ in CONFLICTS])
def test_options_that_exclude_each_other_are_both_named(
    typed: str, named: str, tmp_path: object
) -> None:
    engine = Engine(root=f"{tmp_path}/root", runroot=f"{tmp_path}/run")
    with pytest.raises(PodError) as caught:
        run_container(parse(RUN, [*typed.split(), "busybox", "true"]), engine)
    assert caught.value.exit_status == 125
    for word in named.split():
        assert word in caught.value.message
    assert not os.path.exists(f"{tmp_path}/root/containers")


CONFLICTS_OF_OTHERS = [
    ("attach --latest c", "--latest 'c'"),
    ("commit --pause --no-pause c", "--pause --no-pause"),
    ("container clone --force c d", "--force --destroy"),
    ("exec --latest --cidfile x true", "--latest --cidfile"),
    ("inspect --latest c", "--latest 'c'"),
    ("inspect --size --type image c", "--size --type=image"),
    ("kill --all c", "names --all"),
    ("logs --latest c", "--latest 'c'"),
    ("mount --all c", "names --all"),
    ("pause --all c", "names --all"),
    ("port --all c", "--all names"),
    ("ps --last 2 --latest", "--last --latest"),
    ("ps --quiet --size", "--quiet --size"),
    ("ps --size --ns", "--size --ns"),
    ("restart --running --all", "--running --all"),
    ("rm --all --cidfile x", "--all --cidfile"),
    ("rm --all c", "names --all"),
    ("rm --latest --all", "--all --latest"),
    ("rm --time 3 c", "--time --force"),
    ("start --all --attach", "--all --attach"),
    ("start --all c", "names --all"),
    ("start --sig-proxy c", "--sig-proxy --attach"),
    ("stats --all c", "names --all"),
    ("stop --latest c", "names --latest"),
    ("unmount --all c", "names --all"),
    ("unpause --all c", "names --all"),
    ("update --latest c", "--latest 'c'"),
    ("wait --latest c", "names --latest"),
]


@pytest.mark.parametrize(
    ("typed", "named"), CONFLICTS_OF_OTHERS, ids=[typed for typed, _ in CONFLICTS_OF_OTHERS]
)
def test_other_commands_name_both_that_exclude_each_other(
    typed: str, named: str, tmp_path: object, capfd: pytest.CaptureFixture[str]
) -> None:
    roots = ["--root", f"{tmp_path}/root", "--runroot", f"{tmp_path}/run"]
    assert main([*roots, *typed.split()]) == 125
    said = capfd.readouterr().err
    for word in named.split():
        assert word in said


@pytest.mark.parametrize(
    "typed",
    [
        "--rm --restart on-failure",
        "--rm --restart no",
        "--network none --add-host a:1.2.3.4",
        "--network host --dns 1.1.1.1",
        "--privileged --cap-drop ALL",
        "--privileged --security-opt seccomp=unconfined",
        "--cap-add CHOWN --cap-drop ALL",
        "--cap-add ALL --cap-drop CHOWN",
        "--read-only-tmpfs",
        "--no-hostname --hostname a",
        "--env-merge A=1 --env A=2",
        "--stop-timeout 5 --timeout 3",
        "--userns keep-id --privileged",
        "--init-path /x",
        "--detach --rm",
    ],
)
def test_options_that_go_together(typed: str, read: Callable[..., ContainerConfig]) -> None:
    read(*typed.split())
