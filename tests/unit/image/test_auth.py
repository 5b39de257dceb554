"""Credentials: which file, which entry, which helper. The helpers are real programs."""

from __future__ import annotations

import base64
import json
import os
from typing import Any

import pytest

from pod.base.errors import InvalidValue
from pod.image.auth import (
    AuthFileError,
    Credentials,
    find_credentials,
    parse_credentials,
)
from pod.image.credential_helpers import HelperError


def encoded(user: str, password: str) -> dict[str, str]:
    return {"auth": base64.b64encode(f"{user}:{password}".encode()).decode()}


@pytest.fixture
def home(tmp_path: Any, monkeypatch: pytest.MonkeyPatch) -> str:
    for name in ("REGISTRY_AUTH_FILE", "XDG_CONFIG_HOME", "DOCKER_CONFIG", "XDG_RUNTIME_DIR"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    return str(tmp_path)


def write(path: str, document: Any) -> str:
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "w") as file:
        json.dump(document, file)
    return path


def helper(home: str, monkeypatch: pytest.MonkeyPatch, script: str, name: str = "test") -> None:
    path = f"{home}/bin/docker-credential-{name}"
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "w") as file:
        file.write(f"#!/bin/sh\n{script}\n")
    os.chmod(path, 0o755)
    monkeypatch.setenv("PATH", f"{home}/bin:/usr/bin:/bin")


def test_nothing_is_known(home: str) -> None:
    assert find_credentials("quay.io", "a/b") is None


def test_files_in_their_order(home: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_RUNTIME_DIR", f"{home}/run")
    paths = [
        f"{home}/run/containers/auth.json",
        f"{home}/.config/containers/auth.json",
        f"{home}/.docker/config.json",
    ]
    for number, path in enumerate(paths):
        write(path, {"auths": {"quay.io": encoded(f"u{number}", "p")}})
    write(f"{home}/.dockercfg", {"quay.io": encoded("u3", "p")})
    for number, path in enumerate([*paths, f"{home}/.dockercfg"]):
        assert find_credentials("quay.io") == Credentials(f"u{number}", "p")
        os.unlink(path)


def test_directory_of_docker_is_the_only_one(home: str, monkeypatch: pytest.MonkeyPatch) -> None:
    write(f"{home}/.config/containers/auth.json", {"auths": {"quay.io": encoded("a", "b")}})
    monkeypatch.setenv("DOCKER_CONFIG", f"{home}/other")
    assert find_credentials("quay.io") is None
    write(f"{home}/other/config.json", {"auths": {"quay.io": encoded("c", "d")}})
    assert find_credentials("quay.io") == Credentials("c", "d")


def test_a_file_without_the_registry_is_passed_over(home: str) -> None:
    write(f"{home}/.config/containers/auth.json", {"auths": {"other.io": encoded("a", "b")}})
    write(f"{home}/.docker/config.json", {"auths": {"quay.io": encoded("c", "d")}})
    assert find_credentials("quay.io") == Credentials("c", "d")


def test_named_file_is_the_only_one(home: str, monkeypatch: pytest.MonkeyPatch) -> None:
    write(f"{home}/.docker/config.json", {"auths": {"quay.io": encoded("c", "d")}})
    named = write(f"{home}/named.json", {"auths": {}})
    assert find_credentials("quay.io", authfile=named) is None
    monkeypatch.setenv("REGISTRY_AUTH_FILE", named)
    assert find_credentials("quay.io") is None
    with pytest.raises(AuthFileError, match="no such file"):
        find_credentials("quay.io", authfile=f"{home}/missing.json")


@pytest.mark.parametrize(
    ("registry", "repository", "user"),
    [
        ("r.io:5000", "team/tool", "tool"),
        ("r.io:5000", "team/other", "team"),
        ("r.io:5000", "teams/tool", "host"),
        ("r.io:5000", "", "host"),
        ("r.io", "team/tool", None),
        ("old.io", "x", "old"),
        ("scheme.io", "x", "scheme"),
        ("docker.io", "library/nginx", "hub"),
        ("plain.io", "x", "plain"),
    ],
)
def test_longest_key_wins(home: str, registry: str, repository: str, user: str | None) -> None:
    auths = {
        "r.io:5000": encoded("host", "p"),
        "r.io:5000/team": encoded("team", "p"),
        "r.io:5000/team/tool": encoded("tool", "p"),
        "https://old.io/v1/": encoded("old", "p"),
        "https://scheme.io": encoded("scheme", "p"),
        "https://index.docker.io/v1/": encoded("hub", "p"),
        "plain.io": {"username": "plain", "password": "p"},
    }
    path = write(f"{home}/auth.json", {"auths": auths})
    found = find_credentials(registry, repository, authfile=path)
    assert found == (Credentials(user, "p") if user else None)


def test_password_may_have_colons_and_a_token_replaces_it(home: str) -> None:
    auths = {"a.io": encoded("u", "p:q:r"), "b.io": {"identitytoken": "T", "auth": "x"}, "c.io": {}}
    path = write(f"{home}/auth.json", {"auths": auths})
    assert find_credentials("a.io", authfile=path) == Credentials("u", "p:q:r")
    assert find_credentials("b.io", authfile=path) == Credentials(identity_token="T")
    assert find_credentials("c.io", authfile=path) is None


@pytest.mark.parametrize(
    ("document", "why"),
    [
        ([], "not a JSON object"),
        ({"auths": []}, "'auths' is not an object"),
        ({"auths": {"q.io": "x"}}, "'q.io' is not an object"),
        ({"auths": {"q.io": {"auth": "%%%"}}}, "'q.io' is not base64"),
        ({"auths": {"q.io": {"auth": "ü"}}}, "'q.io' is not base64"),
        ({"auths": {"q.io": {"auth": "YWJj"}}}, "'q.io' has no password"),
        ({"credHelpers": {"q.io": []}}, "the helper for 'q.io' is not a text"),
        ({"credsStore": 7}, "'credsStore' is not a text"),
    ],
)
def test_malformed_files_are_named(home: str, document: Any, why: str) -> None:
    path = write(f"{home}/auth.json", document)
    with pytest.raises(AuthFileError) as error:
        find_credentials("q.io", authfile=path)
    assert path in error.value.message
    assert why in error.value.message


def test_secrets_are_not_shown() -> None:
    assert "hidden" not in repr(Credentials("u", "hidden", "hidden"))


def test_helper_gets_the_registry_and_its_answer_is_used(
    home: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    helper(
        home,
        monkeypatch,
        """[ "$1" = get ] || exit 9
read url; printf '{"ServerURL":"%s","Username":"for-%s","Secret":"s"}' "$url" "$url" """,
    )
    path = write(
        f"{home}/auth.json", {"credHelpers": {"q.io": "test"}, "auths": {"q.io": encoded("a", "b")}}
    )
    assert find_credentials("q.io", "x", authfile=path) == Credentials("for-q.io", "s")


def test_helper_may_give_an_identity_token(home: str, monkeypatch: pytest.MonkeyPatch) -> None:
    helper(home, monkeypatch, """echo '{"ServerURL":"","Username":"<token>","Secret":"T"}'""")
    path = write(f"{home}/auth.json", {"credsStore": "test", "auths": {"q.io": {}}})
    assert find_credentials("q.io", authfile=path) == Credentials(identity_token="T")


def test_store_that_knows_nothing_is_no_error(home: str, monkeypatch: pytest.MonkeyPatch) -> None:
    helper(home, monkeypatch, 'echo "credentials not found in native keychain"; exit 1')
    path = write(f"{home}/auth.json", {"credsStore": "test"})
    assert find_credentials("q.io", authfile=path) is None


@pytest.mark.parametrize(
    ("script", "why"),
    [
        ("echo keyring is locked; exit 1", "keyring is locked"),
        ("exit 3", "status 3"),
        ("echo nonsense", "not what it should be"),
        ("echo '{}'", "not what it should be"),
    ],
)
def test_broken_helpers(home: str, monkeypatch: pytest.MonkeyPatch, script: str, why: str) -> None:
    helper(home, monkeypatch, script)
    path = write(f"{home}/auth.json", {"credHelpers": {"q.io": "test"}})
    with pytest.raises(HelperError, match=why):
        find_credentials("q.io", authfile=path)


def test_missing_helper_is_named(home: str) -> None:
    path = write(f"{home}/auth.json", {"credHelpers": {"q.io": "not-there"}})
    with pytest.raises(HelperError, match="'docker-credential-not-there' is not installed"):
        find_credentials("q.io", authfile=path)


def test_helpers_of_the_configuration_are_asked_in_order(
    home: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    helper(home, monkeypatch, """echo '{"Username":"from-helper","Secret":"s"}'""")
    write(f"{home}/.docker/config.json", {"auths": {"q.io": encoded("from-file", "s")}})
    for helpers, user in (
        ((), "from-file"),
        (("test",), "from-helper"),
        (("containers-auth.json", "test"), "from-file"),
        (("test", "containers-auth.json"), "from-helper"),
    ):
        assert find_credentials("q.io", helpers=helpers) == Credentials(user, "s")
    helper(home, monkeypatch, 'echo "credentials not found in native keychain"; exit 1')
    assert find_credentials("q.io", helpers=("test",)) is None
    named = write(f"{home}/named.json", {"auths": {"q.io": encoded("named", "s")}})
    assert find_credentials("q.io", authfile=named, helpers=("test",)) == Credentials("named", "s")


def test_helper_that_fails_is_no_end_when_another_place_knows(
    home: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    helper(home, monkeypatch, "echo locked; exit 1")
    write(f"{home}/.docker/config.json", {"auths": {"q.io": encoded("u", "s")}})
    order = ("test", "containers-auth.json")
    assert find_credentials("q.io", helpers=order) == Credentials("u", "s")
    with pytest.raises(HelperError, match="locked"):
        find_credentials("other.io", helpers=order)


def test_creds_option() -> None:
    assert parse_credentials("u:p:q") == Credentials("u", "p:q")
    assert parse_credentials("u") == Credentials("u")
    with pytest.raises(InvalidValue) as error:
        parse_credentials(":secret")
    assert "secret" not in error.value.message
