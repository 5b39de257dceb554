"""docker's --link: one more name for a container of the same network."""

from __future__ import annotations

from collections.abc import Generator

import pytest

from tests.support.checks import one_error
from tests.support.engine import Engine

pytestmark = pytest.mark.not_podman("it is docker's")


@pytest.fixture
def back(pod: Engine) -> Generator[str]:
    """A network with the container db on it; the network's name."""
    pod("network", "create", "back")
    pod("create", "--name", "db", "--network", "back", "busybox", "sleep", "1000")
    yield "back"
    pod("rm", "-f", "-a", "-t", "0")
    pod("network", "rm", "-f", "back")


def hosts(text: str) -> dict[str, str]:
    """Address by name."""
    lines = [line.split() for line in text.splitlines()]
    return {name: words[0] for words in lines for name in words[1:]}


def test_alias_leads_to_the_other_container(pod: Engine, back: str) -> None:
    pod("network", "create", "other")
    pod("start", "db")
    words = ("--network", "other", "--network", back, "--link", "db:storage", "--link", "db")
    pod("run", "-d", "--name", "web", *words, "busybox", "sleep", "1000")
    address = pod("inspect", "-f", "{{.NetworkSettings.Networks.back.IPAddress}}", "db").out
    names = hosts(pod("exec", "web", "cat", "/etc/hosts").stdout)
    assert names["storage"] == names["db"] == address
    number = pod("inspect", "-f", "{{.Id}}", "db").out
    links = pod("inspect", "-f", "{{json .HostConfig.Links}}", "web").json()
    assert links == [f"{number}:storage", f"{number}:db"]
    pod("rm", "-f", "-t", "0", "web")
    pod("network", "rm", "other")


def test_the_other_is_gone(pod: Engine, back: str) -> None:
    words = ("--name", "web", "--network", back, "--link", "db:storage", "busybox")
    pod("create", *words, "cat", "/etc/hosts")
    pod("rm", "-f", "-t", "0", "db")
    result = pod("start", "-a", "web", status=125)
    assert "the container that --link calls 'storage' does not exist any more" in one_error(result)


def test_containers_in_pods(pod: Engine, back: str) -> None:
    pod("pod", "create", "--network", back, "p")
    pod("run", "-d", "--pod", "p", "--name", "in", "busybox", "sleep", "1000")
    words = ("run", "--rm", "--network", back, "--link", "in:inner", "busybox")
    names = hosts(pod(*words, "cat", "/etc/hosts").stdout)
    assert names["inner"] == hosts(pod("exec", "in", "cat", "/etc/hosts").stdout)["p"]
    pod("pod", "rm", "-f", "-t", "0", "p")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--link", "db"], "the two containers are on no network together"),
        (["--network", "host", "--link", "db"], "the two containers are on no network together"),
        (["--network", "container:db", "--link", "db"], "--link excludes --network=container:db"),
        (["--network", "back", "--link", "nobody"], "'nobody'"),
        (["--network", "back", "--no-hosts", "--link", "db"], "--no-hosts excludes --link"),
        (["--network", "back", "--link", ":x"], "--link ':x' is not valid: CONTAINER[:ALIAS]"),
        (["--network", "back", "--link", "db:a b"], "--link 'db:a b' is not valid"),
    ],
)
def test_refused(pod: Engine, back: str, options: list[str], message: str) -> None:
    result = pod("run", "--rm", *options, "busybox", "true", status=125)
    assert message in one_error(result, hint=None)
