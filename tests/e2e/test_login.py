"""`pod login` and `pod logout`: credentials are right before they are kept, and podman finds them as pod does.

Which entry of which file fits a name is tested in tests/unit/image/test_auth.py, how files are written in
tests/integration/image/test_auth_file.py.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import stat
import subprocess
from collections.abc import Generator
from pathlib import Path
from typing import Any

import pytest

from tests.support import images
from tests.support.engine import Engine
from tests.support.registry import Registry
from tests.support.terminal import Terminal
from tests.support.tmux import Tmux
from tests.support.tokens import TokenServer

INSECURE = "--tls-verify=false"
JANE = ("-u", "jane", "-p", 's:e"cret')
PASSWORD = JANE[-1]


@pytest.fixture(scope="module")
def private(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """A registry that wants a password."""
    directory = str(tmp_path_factory.mktemp("private"))
    with Registry(directory, users={"jane": PASSWORD}) as started:
        started.push(images.image("busybox"), "team/app")
        yield started


@pytest.fixture
def home(pod: Engine, tmp_path: Path) -> Generator[dict[str, str]]:
    """The variables of somebody who has never logged in anywhere."""
    yield {"XDG_RUNTIME_DIR": str(tmp_path), "HOME": str(tmp_path)}
    pause = tmp_path / "libpod/tmp/pause.pid"  # podman leaves a process behind
    if pause.exists():
        os.kill(int(pause.read_text()), signal.SIGKILL)


def stored(home: dict[str, str]) -> Any:
    return json.loads(Path(home["XDG_RUNTIME_DIR"], "containers/auth.json").read_text())


def program(path: Path, name: str, text: str) -> str:
    """A credential helper; the directory that has it."""
    file = path / "bin" / f"docker-credential-{name}"
    file.parent.mkdir(exist_ok=True)
    file.write_text(text)
    file.chmod(0o755)
    return str(file.parent)


def test_login_is_kept_and_logout_forgets_it(
    pod: Engine, private: Registry, home: dict[str, str]
) -> None:
    result = pod("login", INSECURE, *JANE, private.host, env=home)
    assert result.out == "Login Succeeded!"
    path = Path(home["XDG_RUNTIME_DIR"], "containers/auth.json")
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert pod("login", "--get-login", private.host, env=home).out == "jane"
    again = pod("login", INSECURE, private.host, env=home)
    assert "Already logged in" in again.stdout
    out = pod("logout", private.host, env=home)
    assert out.out == f"Removed login credentials for {private.host}"
    assert stored(home) == {"auths": {}}
    assert pod("login", "--get-login", private.host, env=home, status=125).stdout == ""
    pod("logout", private.host, env=home, status=125)


def test_wrong_password_is_not_kept(pod: Engine, private: Registry, home: dict[str, str]) -> None:
    result = pod("login", INSECURE, "-u", "jane", "-p", "wrong", private.host, env=home, status=125)
    assert "password" in result.stderr
    assert not os.path.exists(f"{home['XDG_RUNTIME_DIR']}/containers/auth.json")
    pod("login", INSECURE, *JANE, private.host, env=home)
    pod("login", INSECURE, "-u", "jane", "-p", "wrong", private.host, env=home, status=125)
    assert "Already logged in" in pod("login", INSECURE, private.host, env=home).stdout


def test_pull_uses_the_login(pod: Engine, private: Registry, home: dict[str, str]) -> None:
    name = f"{private.host}/team/app"
    pod("pull", "-q", INSECURE, name, status=125, env=home)
    given = pod("login", INSECURE, "-u", "jane", "--password-stdin", private.host, stdin=PASSWORD + "\n",
                env=home)  # fmt: skip
    assert given.out == "Login Succeeded!"
    pod("pull", "-q", INSECURE, name, env=home)


def test_namespace_has_its_own_login(pod: Engine, private: Registry, home: dict[str, str]) -> None:
    pod("login", INSECURE, *JANE, f"{private.host}/team", env=home)
    assert list(stored(home)["auths"]) == [f"{private.host}/team"]
    pod("login", "--get-login", private.host, env=home, status=125)
    assert pod("login", "--get-login", f"{private.host}/team/app", env=home).out == "jane"
    pod("pull", "-q", INSECURE, f"{private.host}/team/app", env=home)
    pod("logout", f"{private.host}/team", env=home)
    assert stored(home)["auths"] == {}


@pytest.mark.not_podman("the other way round is tested from pod")
def test_podman_and_pod_know_each_others_logins(
    pod: Engine, private: Registry, home: dict[str, str]
) -> None:
    def podman(*words: str) -> str:
        environment = {**pod.environment, **home}
        done = subprocess.run(
            ["podman", *words], env=environment, capture_output=True, text=True, check=True
        )
        return done.stdout.strip()

    pod("login", INSECURE, *JANE, private.host, env=home)
    assert podman("login", "--get-login", private.host) == "jane"
    assert "Already logged in" in podman("login", INSECURE, private.host)
    podman("logout", private.host)
    pod("login", "--get-login", private.host, env=home, status=125)
    podman("login", INSECURE, *JANE, f"{private.host}/team")
    pod("pull", "-q", INSECURE, f"{private.host}/team/app", env=home)
    pod("logout", f"{private.host}/team", env=home)
    assert stored(home)["auths"] == {}
    home["DOCKER_CONFIG"] = f"{home['HOME']}/docker"
    pod("login", INSECURE, *JANE, private.host, env=home)
    assert podman("login", "--get-login", private.host) == "jane"


@pytest.mark.not_podman("version 4.3 has no --secret")
def test_password_from_a_secret(pod: Engine, private: Registry, home: dict[str, str]) -> None:
    pod("secret", "create", "jane", "-", stdin=PASSWORD)
    try:
        pod("login", INSECURE, "--secret", "jane", private.host, env=home)
        assert pod("login", "--get-login", private.host, env=home).out == "jane"
        pod("login", INSECURE, "--secret", "none", private.host, env=home, status=125)
    finally:
        pod("secret", "rm", "jane")


def test_files_that_can_be_named(
    pod: Engine, private: Registry, home: dict[str, str], tmp_path: Path
) -> None:
    file = tmp_path / "named.json"
    pod("login", INSECURE, *JANE, "--authfile", str(file), private.host, env=home)
    assert private.host in json.loads(file.read_text())["auths"]
    assert (
        pod("login", "--get-login", "--authfile", str(file), private.host, env=home).out == "jane"
    )
    other = {**home, "REGISTRY_AUTH_FILE": str(file)}
    pod("pull", "-q", INSECURE, f"{private.host}/team/app", env=other)
    pod("logout", private.host, env=other)
    assert json.loads(file.read_text()) == {"auths": {}}
    assert not os.path.exists(f"{home['XDG_RUNTIME_DIR']}/containers/auth.json")


@pytest.mark.not_podman("version 4.3 has no --compat-auth-file")
def test_docker_configuration(
    pod: Engine, private: Registry, home: dict[str, str], tmp_path: Path
) -> None:
    file = tmp_path / "config.json"
    file.write_text(json.dumps({"psFormat": "table {{.ID}}", "auths": {"other.example": {}}}))
    named = ("--compat-auth-file", str(file))
    pod("login", INSECURE, *JANE, *named, private.host, env=home)
    document = json.loads(file.read_text())
    assert document["psFormat"] == "table {{.ID}}"
    assert list(document["auths"]) == ["other.example", private.host]
    refused = pod("login", INSECURE, *JANE, *named, f"{private.host}/team", env=home, status=125)
    assert "whole registries" in refused.stderr
    assert pod("login", "--get-login", *named, private.host, env=home).out == "jane"
    elsewhere = pod("--config", str(tmp_path), "login", "--get-login", private.host, env=home)
    assert elsewhere.out == "jane"
    pod("logout", *named, "--all", env=home)
    assert json.loads(file.read_text()) == {"psFormat": "table {{.ID}}", "auths": {}}


HELPER = """#!/bin/sh
cd {directory} && echo "$1" >> calls
case $1 in
  store) cat > kept ;;
  get) read -r server
       grep -q "\\"$server\\"" kept 2>/dev/null || {{ echo credentials not found in native keychain; exit 1; }}
       cat kept ;;
  erase) rm -f kept ;;
  list) test -e kept && sed 's/.*"ServerURL": "\\([^"]*\\)".*/{{"\\1": "jane"}}/' kept || echo '{{}}' ;;
esac
"""


@pytest.mark.parametrize("where", ["credHelpers", "credsStore", "registries.conf"])
@pytest.mark.not_podman("it knows no credsStore; both ways are tested from pod")
def test_credential_helper_keeps_the_password(
    pod: Engine, private: Registry, home: dict[str, str], tmp_path: Path, where: str
) -> None:
    path = program(tmp_path, "drawer", HELPER.format(directory=tmp_path))
    env = {**home, "PATH": f"{path}:{pod.environment['PATH']}"}
    file = tmp_path / "containers/auth.json"
    file.parent.mkdir()
    if where == "registries.conf":
        conf = tmp_path / "registries.conf"
        conf.write_text('credential-helpers = ["drawer"]\n')
        env["CONTAINERS_REGISTRIES_CONF"] = str(conf)
    else:
        value = {private.host: "drawer"} if where == "credHelpers" else "drawer"
        file.write_text(json.dumps({where: value}))
    shown = pod("login", "-v", INSECURE, *JANE, private.host, env=env)
    assert "credential helper: drawer" in shown.stdout
    assert json.loads((tmp_path / "kept").read_text())["Secret"] == PASSWORD
    assert not file.exists() or PASSWORD not in file.read_text()
    assert not file.exists() or 'auth"' not in file.read_text()
    pod("pull", "-q", INSECURE, f"{private.host}/team/app", env=env)
    if where != "credsStore":
        podman = ["podman", "login", "--get-login", private.host]
        environment = {**pod.environment, **env}
        assert subprocess.check_output(podman, env=environment, text=True).strip() == "jane"
    pod("logout", private.host, env=env)
    assert not (tmp_path / "kept").exists()
    pod("login", INSECURE, *JANE, private.host, env=env)
    pod("logout", "--all", env=env)
    assert not (tmp_path / "kept").exists()
    assert (tmp_path / "calls").read_text().splitlines()[-2:] == ["list", "erase"]


@pytest.mark.parametrize(
    ("script", "said"),
    [
        pytest.param("echo 'the drawer is locked'; exit 1", "drawer is locked", id="output"),
        pytest.param("echo 'no drawer here' >&2; exit 3", "no drawer here", id="errors"),
        pytest.param("exit 3", "'docker-credential-drawer get' ended with status 3", id="silent"),
        pytest.param("echo none", "its answer is not what it should be", id="no answer"),
        pytest.param(
            None, "'docker-credential-drawer' is not installed\nHint: install it", id="none"
        ),
    ],
)
@pytest.mark.not_podman("in words of its own")
def test_credential_helper_that_fails(
    pod: Engine,
    private: Registry,
    home: dict[str, str],
    tmp_path: Path,
    script: str | None,
    said: str,
) -> None:
    file = tmp_path / "containers/auth.json"
    file.parent.mkdir()
    file.write_text(json.dumps({"credHelpers": {private.host: "drawer"}}))
    env = dict(home)
    if script is not None:
        path = program(tmp_path, "drawer", f"#!/bin/sh\n{script}\n")
        env["PATH"] = f"{path}:{pod.environment['PATH']}"
    words = ("pull", "-q", INSECURE, f"{private.host}/team/app")
    failed = pod(*words, env=env, status=125)
    assert "the credential helper 'drawer' failed" in failed.stderr
    assert said in failed.stderr


def test_registry_with_a_token_server(pod: Engine, home: dict[str, str], tmp_path: Path) -> None:
    with (
        TokenServer(str(tmp_path / "tokens"), {"jane": PASSWORD}) as tokens,
        Registry(str(tmp_path / "registry"), tokens=tokens) as registry,
    ):
        registry.push(images.image("busybox"), "team/app")
        name = f"{registry.host}/team/app"
        pod("pull", "-q", INSECURE, name, env=home, status=125)
        wrong = ("-u", "jane", "-p", "wrong")
        refused = pod("login", INSECURE, *wrong, registry.host, env=home, status=125)
        assert "password" in refused.stderr
        pod("login", INSECURE, *JANE, registry.host, env=home)
        pod("pull", "-q", INSECURE, name, env=home)
        pod("push", "-q", INSECURE, name, f"{registry.host}/other/app", env=home)
        pod("search", INSECURE, "--list-tags", f"{registry.host}/other/app", env=home)


def test_registry_with_tls_and_a_password(
    pod: Engine, registry_with: Any, home: dict[str, str], tmp_path: Path
) -> None:
    private: Registry = registry_with(users={"jane": PASSWORD}, tls=True)
    directory = tmp_path / "certs"
    directory.mkdir()
    shutil.copy(private.certificate or "", directory / "ca.crt")
    trusting = ("--tls-verify", "--cert-dir", str(directory))
    pod("login", *trusting, *JANE, private.host, env=home)
    pod("push", "-q", *trusting, "busybox", f"{private.host}/team/app", env=home)
    pod("pull", "-q", *trusting, f"{private.host}/team/app", env=home)
    pod("logout", private.host, env=home)
    pod("push", "-q", *trusting, "busybox", f"{private.host}/team/app", env=home, status=125)


@pytest.mark.not_podman("its questions and its order of writing are its own")
def test_person_is_asked(pod: Engine, private: Registry, home: dict[str, str]) -> None:
    """The password is not shown; nothing on the way is."""
    command = pod.full_command("login", INSECURE, private.host)
    with Terminal(command, {**pod.environment, **home}) as terminal:
        terminal.expect("Username: ")
        terminal.type("jane\r")
        terminal.expect("Password: ")
        terminal.type(PASSWORD + "\r")
        terminal.expect("Login Succeeded!")
        assert terminal.wait() == 0
        assert PASSWORD not in terminal.screen
    assert pod("login", "--get-login", private.host, env=home).out == "jane"


@pytest.mark.not_podman("what remains on the screen is its own")
def test_questions_in_tmux(pod: Engine, private: Registry, home: dict[str, str]) -> None:
    """Given up at the password by control-C, the terminal shows again what is typed."""
    words = pod.full_command("login", INSECURE, "--username", "jane", private.host)
    with Tmux({**pod.environment, **home}) as tmux:
        ended = tmux.run(*words)
        tmux.asks("Password:")
        tmux.press("C-c")
        ended(130)
        tmux.asks()
        tmux.type("clear; stty -a | tr ' ' '\\n' | grep echo$")
        tmux.shows("echo")
        tmux.asks()
        ended = tmux.run(*words)
        tmux.asks("Password:")
        tmux.type(PASSWORD)
        tmux.shows("Login Succeeded!")
        ended(0)
        assert PASSWORD not in "".join(tmux.screen())


@pytest.mark.not_podman("it asks what is no terminal")
def test_nobody_to_ask(pod: Engine, private: Registry, home: dict[str, str]) -> None:
    result = pod("login", INSECURE, private.host, env=home, status=125)
    assert "no terminal" in result.stderr
    result = pod("login", INSECURE, "-u", "jane", private.host, env=home, status=125)
    assert "Hint: --password-stdin" in result.stderr


@pytest.mark.parametrize(
    ("content", "why"),
    [
        ("{", "it is not JSON"),
        ("[]", "it is not a JSON object"),
        ('{"auths": []}', "'auths' is not an object"),
        ('{"credHelpers": {"HOST": 7}}', "is not a text"),
        ('{"credsStore": ["x"]}', "'credsStore' is not a text"),
    ],
)
@pytest.mark.not_podman("its words are those of its JSON reader")
def test_bad_file_is_one_sentence_and_stays_as_it_is(
    pod: Engine, private: Registry, home: dict[str, str], content: str, why: str
) -> None:
    path = Path(home["XDG_RUNTIME_DIR"], "containers/auth.json")
    path.parent.mkdir()
    content = content.replace("HOST", private.host)
    path.write_text(content)
    commands = [
        ("login", INSECURE, *JANE, private.host),
        ("logout", private.host),
        ("pull", "-q", INSECURE, f"{private.host}/team/app"),
    ]
    for command in commands:
        error = pod(*command, env=home, status=125).stderr
        assert error.startswith("Error: ")
        assert error.count("\n") == 1
        assert why in error
        assert str(path) in error
        assert path.read_text() == content


@pytest.mark.parametrize("entry", ["1", '{"auth": "@"}'])
@pytest.mark.not_podman("its words are those of its JSON reader")
def test_bad_entry_is_told_and_replaced_by_a_login(
    pod: Engine, private: Registry, home: dict[str, str], entry: str
) -> None:
    path = Path(home["XDG_RUNTIME_DIR"], "containers/auth.json")
    path.parent.mkdir()
    path.write_text(f'{{"auths": {{"{private.host}": {entry}}}}}')
    name = f"{private.host}/team/app"
    error = pod("pull", "-q", INSECURE, name, env=home, status=125).stderr
    assert str(path) in error
    assert f"the entry '{private.host}' is not" in error
    pod("login", INSECURE, *JANE, private.host, env=home)
    pod("pull", "-q", INSECURE, name, env=home)


@pytest.mark.not_podman("its words are those of its JSON reader")
def test_file_that_cannot_be_read(pod: Engine, private: Registry, home: dict[str, str]) -> None:
    path = Path(home["XDG_RUNTIME_DIR"], "containers/auth.json")
    path.parent.mkdir()
    path.write_text("{}")
    path.chmod(0)
    for command in (("login", INSECURE, *JANE, private.host), ("logout", private.host)):
        error = pod(*command, env=home, status=125).stderr
        assert f"'{path}'" in error
        assert "ermission denied" in error
    error = pod("pull", INSECURE, f"{private.host}/team/app", env=home, status=125).stderr
    assert f"credentials in '{path}' are passed over: Permission denied" in error
    shutil.rmtree(path.parent)
    path.parent.mkdir(mode=0o500)
    error = pod("login", INSECURE, *JANE, private.host, env=home, status=125).stderr
    assert f"cannot be written to '{path}': Permission denied" in error
    path.parent.chmod(0o700)


@pytest.mark.parametrize(
    "words",
    [
        ["-u", "a:b", "-p", "x", "localhost:1"],
        ["-p", "x", "--password-stdin", "-u", "a", "localhost:1"],
        ["--password-stdin", "localhost:1"],
        ["-u", "a", "-p", "x", "localhost:1/team:tag"],
        ["localhost:1", "localhost:2"],
    ],
    ids=" ".join,
)
def test_wrong_usage(pod: Engine, home: dict[str, str], words: list[str]) -> None:
    assert pod("login", *words, env=home, status=125).stdout == ""
