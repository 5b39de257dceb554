"""registries.conf as a person meets it: short names, the question at the terminal, blocked registries, mirrors."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.integration.image.faulty import FaultyRegistry, digest_of, small_layer
from tests.support.engine import Engine
from tests.support.terminal import Terminal
from tests.support.tmux import Tmux

Environment = dict[str, str]


@pytest.fixture
def home(tmp_path: Path) -> Environment:
    """Nobody's settings, and a registries.conf that the test writes; see `configure`."""
    return {
        "HOME": str(tmp_path),
        "XDG_CACHE_HOME": str(tmp_path / "cache"),
        "CONTAINERS_REGISTRIES_CONF": str(tmp_path / "registries.conf"),
    }


def configure(home: Environment, mode: str, *hosts: str, more: str = "") -> None:
    text = f'unqualified-search-registries = {json.dumps(hosts)}\nshort-name-mode = "{mode}"\n'
    insecure = "".join(f'[[registry]]\nlocation = "{host}"\ninsecure = true\n' for host in hosts)
    Path(home["CONTAINERS_REGISTRIES_CONF"]).write_text(text + insecure + more)


def aliases(home: Environment) -> str:
    return Path(home["XDG_CACHE_HOME"], "containers/short-name-aliases.conf").read_text()


@pytest.mark.not_podman("its question is a menu for arrow keys")
@pytest.mark.parametrize("mode", ["enforcing", "permissive"])
def test_person_chooses_once(
    pod: Engine, server: FaultyRegistry, home: Environment, mode: str
) -> None:
    """The choice is asked for until it is one, and is an alias from then on, also for those whom nobody can ask."""
    server.add_image("team/tool:1", [small_layer()])
    with FaultyRegistry() as other:
        other.add_image("team/tool:1", [small_layer()])
        configure(home, mode, other.host, server.host)
        command = pod.full_command("pull", "-q", "team/tool:1")
        with Terminal(command, {**pod.environment, **home}) as terminal:
            terminal.expect("Which image is meant?")
            terminal.expect(f"1) {other.host}/team/tool:1")
            terminal.expect(f"2) {server.host}/team/tool:1")
            terminal.expect("Number, 1 to 2: ")
            terminal.type("3\r")
            terminal.expect("'3' is none of the numbers")
            terminal.expect("Number, 1 to 2: ")
            terminal.type("2\r")
            assert terminal.wait() == 0
        assert aliases(home) == f'[aliases]\n  "team/tool" = "{server.host}/team/tool"\n'
        assert other.requests == []
        configure(home, "enforcing", other.host, server.host)
        server.add_image("team/tool:2", [small_layer()])
        pod("pull", "-q", "team/tool:2", env=home)
        assert other.requests == []
    names = pod("images", "--format", "{{.Repository}}:{{.Tag}}").lines
    assert {f"{server.host}/team/tool:{tag}" for tag in (1, 2)} <= set(names)


@pytest.mark.not_podman("its question is a menu for arrow keys")
def test_choice_is_kept_only_when_the_image_has_come(
    pod: Engine, server: FaultyRegistry, home: Environment
) -> None:
    with FaultyRegistry() as other:
        configure(home, "enforcing", other.host, server.host)
        with Terminal(pod.full_command("pull", "none"), {**pod.environment, **home}) as terminal:
            terminal.expect("Number, 1 to 2: ")
            terminal.type("1\r")
            assert terminal.wait() == 125
        with Terminal(pod.full_command("pull", "none"), {**pod.environment, **home}) as terminal:
            terminal.expect("Number, 1 to 2: ")
            terminal.type("\x04")
            assert terminal.wait() == 125
            assert "nothing was chosen" in terminal.screen
    assert not Path(home["XDG_CACHE_HOME"], "containers").exists()


@pytest.mark.not_podman("it finds its file of aliases below HOME of the user database")
def test_other_aliases_stay(pod: Engine, server: FaultyRegistry, home: Environment) -> None:
    """In podman's own format."""
    server.add_image("tool:latest", [])
    path = Path(home["XDG_CACHE_HOME"], "containers/short-name-aliases.conf")
    path.parent.mkdir(parents=True)
    path.write_text('[aliases]\n  "alpine" = "docker.io/library/alpine"\n')
    configure(home, "permissive", "localhost:1", server.host)
    with Terminal(pod.full_command("pull", "tool"), {**pod.environment, **home}) as terminal:
        terminal.expect("Number, 1 to 2: ")
        terminal.type("2\r")
        assert terminal.wait() == 0
    assert aliases(home) == (
        f'[aliases]\n  "alpine" = "docker.io/library/alpine"\n  "tool" = "{server.host}/tool"\n'
    )


def test_nobody_can_be_asked(pod: Engine, server: FaultyRegistry, home: Environment) -> None:
    """Enforcing refuses to guess; the other modes try one registry after the other, also past a blocked one."""
    server.add_image("tool:latest", [small_layer()])
    with FaultyRegistry() as other:
        configure(home, "enforcing", other.host, server.host)
        refused = pod("pull", "-q", "tool", env=home, status=125)
        if pod.kind == "pod":
            assert "could come from any of" in refused.stderr
        assert other.requests == []
        for mode in ("permissive", "disabled"):
            configure(home, mode, other.host, server.host)
            pod("pull", "-q", "tool", env=home)
            pod("rmi", f"{server.host}/tool")
            assert other.requests
    blocked = '[[registry]]\nlocation = "blocked.example"\nblocked = true\n'
    configure(home, "permissive", "blocked.example", server.host, more="")
    text = Path(home["CONTAINERS_REGISTRIES_CONF"]).read_text()
    text = text.replace('[[registry]]\nlocation = "blocked.example"\ninsecure = true\n', blocked)
    Path(home["CONTAINERS_REGISTRIES_CONF"]).write_text(text)
    pod("pull", "-q", "tool", env=home)


def test_blocked_registry_is_never_asked(
    pod: Engine, server: FaultyRegistry, home: Environment
) -> None:
    server.add_image("team/tool:latest", [small_layer()])
    rule = f'[[registry]]\nprefix = "{server.host}/team"\nlocation = "{server.host}/team"\nblocked = true\n'
    configure(home, "permissive", server.host, more=rule)
    name = f"{server.host}/team/tool"
    for command in (("pull", name), ("run", "--rm", name, "true"), ("create", name, "true")):
        error = pod(*command, env=home, status=125).stderr
        if pod.kind == "pod":
            assert f"registries.conf blocks '{server.host}/team'" in error
    assert server.requests == []


@pytest.mark.not_podman("its sentences are other ones")
def test_login_to_a_blocked_registry(
    pod: Engine, server: FaultyRegistry, home: Environment
) -> None:
    rule = f'[[registry]]\nlocation = "{server.host}"\nblocked = true\n'
    Path(home["CONTAINERS_REGISTRIES_CONF"]).write_text(rule)
    words = ("login", "-u", "a", "-p", "b", server.host), ("search", f"{server.host}/x")
    for command in words:
        error = pod(*command, env=home, status=125).stderr
        assert f"'{server.host}' may not be used: registries.conf blocks '{server.host}'" in error
    assert server.requests == []


def test_mirrors_in_their_order(pod: Engine, server: FaultyRegistry, home: Environment) -> None:
    """The first that has it; tags and digests go where the configuration lets them."""
    layer = small_layer("of mirrors")
    digest = server.add_image("team/tool:latest", [layer])
    with FaultyRegistry() as one, FaultyRegistry() as two:
        two.add_image("copy/tool:latest", [layer])
        mirrors = "".join(
            f'[[registry.mirror]]\nlocation = "{mirror.host}/copy"\ninsecure = true\n{extra}\n'
            for mirror, extra in ((one, 'pull-from-mirror = "digest-only"'), (two, ""))
        )
        rule = f'[[registry]]\nprefix = "{server.host}/team"\nlocation = "{server.host}/team"\ninsecure = true\n'
        configure(home, "permissive", server.host, more=rule + mirrors)
        pod("pull", "-q", f"{server.host}/team/tool", env=home)
        assert not one.seen("/v2/copy")
        assert two.seen("/v2/copy/tool/manifests/latest")
        assert not server.seen("/v2/team")
        pod("rmi", f"{server.host}/team/tool")
        two.manifests.clear()
        pod("pull", "-q", f"{server.host}/team/tool@{digest}", env=home)
        assert one.seen(f"/v2/copy/tool/manifests/{digest}")
        assert two.seen(f"/v2/copy/tool/manifests/{digest}")
        assert server.seen(f"/v2/team/tool/manifests/{digest}")
        assert digest_of(layer) in server.blobs
        pod("rmi", f"{server.host}/team/tool@{digest}")


def test_mirrors_for_digests_alone(pod: Engine, server: FaultyRegistry, home: Environment) -> None:
    digest = server.add_image("team/tool:latest", [small_layer()])
    with FaultyRegistry() as mirror:
        mirror.blobs, mirror.manifests = server.blobs, server.manifests
        rule = (
            f'[[registry]]\nprefix = "{server.host}/team"\nlocation = "{server.host}/team"\ninsecure = true\n'
            "mirror-by-digest-only = true\n"
            f'[[registry.mirror]]\nlocation = "{mirror.host}/team"\ninsecure = true\n'
        )
        configure(home, "permissive", server.host, more=rule)
        pod("pull", "-q", f"{server.host}/team/tool", env=home)
        assert not mirror.seen("/v2/team")
        pod("rmi", f"{server.host}/team/tool")
        before = len(server.seen("/v2/team"))
        pod("pull", "-q", f"{server.host}/team/tool@{digest}", env=home)
        assert len(server.seen("/v2/team")) == before
        pod("rmi", f"{server.host}/team/tool@{digest}")


@pytest.mark.not_podman("its question is a menu for arrow keys")
def test_question_on_a_screen(pod: Engine, server: FaultyRegistry, home: Environment) -> None:
    """As a person sees it, who mistypes, gives up with Ctrl-C, and then chooses."""
    server.add_image("team/tool:1", [small_layer()])
    with FaultyRegistry() as other, Tmux({**pod.environment, **home}) as tmux:
        configure(home, "enforcing", other.host, server.host)
        command = pod.full_command("pull", "-q", "team/tool:1")
        ended = tmux.run(*command)
        tmux.asks("Number, 1 to 2:")
        lines = tmux.screen()
        question = next(n for n, line in enumerate(lines) if "Which image is meant?" in line)
        assert [line.strip() for line in lines[question + 1 :]] == [
            f"1) {other.host}/team/tool:1",
            f"2) {server.host}/team/tool:1",
            "Number, 1 to 2:",
        ]
        tmux.type("two")
        tmux.shows("'two' is none of the numbers")
        tmux.asks("Number, 1 to 2:")
        tmux.press("C-c")
        ended(130)
        assert other.requests == server.requests == []
        ended = tmux.run(*command)
        tmux.asks("Number, 1 to 2:")
        tmux.type("2")
        ended(0)
        assert aliases(home) == f'[aliases]\n  "team/tool" = "{server.host}/team/tool"\n'
    pod("rmi", f"{server.host}/team/tool:1")
