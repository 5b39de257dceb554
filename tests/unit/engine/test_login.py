"""What is typed as a registry, and where a login is kept; and the filters of a search."""

from __future__ import annotations

from typing import Any

import pytest

from pod.base.errors import PodError, UsageError
from pod.engine.context import Engine
from pod.engine.login import LoginOptions, account_of, place_of
from pod.engine.search import Filters, parse_filters


@pytest.fixture
def engine(tmp_path: Any, monkeypatch: pytest.MonkeyPatch) -> Engine:
    for variable in ("REGISTRY_AUTH_FILE", "DOCKER_CONFIG", "XDG_CONFIG_HOME", "XDG_DATA_HOME"):
        monkeypatch.delenv(variable, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    monkeypatch.setenv("CONTAINERS_REGISTRIES_CONF", f"{tmp_path}/registries.conf")
    (tmp_path / "registries.conf").write_text('unqualified-search-registries = ["first.example"]')
    return Engine(root=f"{tmp_path}/root", runroot=f"{tmp_path}/run")


@pytest.mark.parametrize(
    ("typed", "meant"),
    [
        (None, "first.example"),
        ("localhost", "localhost"),
        ("localhost:5000/", "localhost:5000"),
        ("a.example/team/app", "a.example/team/app"),
        ("https://a.example/v1/", "a.example"),
        ("http://a.example:80", "a.example:80"),
        ("index.docker.io", "docker.io"),
        ("https://index.docker.io/v1/", "docker.io"),
        ("[::1]:5000", "[::1]:5000"),
    ],
)
def test_accounts(engine: Engine, typed: str | None, meant: str) -> None:
    assert str(account_of(engine, typed)) == meant


@pytest.mark.parametrize("typed", ["team", "a.example/x:1", "a.example/UP", "a example.com", "://"])
def test_what_is_no_account(engine: Engine, typed: str) -> None:
    with pytest.raises(PodError):
        account_of(engine, typed)


def test_places_in_their_order(
    engine: Engine, tmp_path: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert place_of(engine, LoginOptions()).path == f"{tmp_path}/containers/auth.json"
    monkeypatch.setenv("DOCKER_CONFIG", "/configured")
    configured = place_of(engine, LoginOptions())
    assert (configured.path, configured.docker) == ("/configured/config.json", True)
    engine.credentials_directory = "/docker"
    assert place_of(engine, LoginOptions()).path == "/docker/config.json"
    monkeypatch.setenv("REGISTRY_AUTH_FILE", "/named")
    assert place_of(engine, LoginOptions()).path == "/named"
    assert place_of(engine, LoginOptions(authfile="/typed")).path == "/typed"
    compatible = place_of(engine, LoginOptions(compat_auth_file="/compatible"))
    assert (compatible.path, compatible.docker) == ("/compatible", True)
    with pytest.raises(UsageError):
        place_of(engine, LoginOptions(authfile="/typed", compat_auth_file="/compatible"))


def test_without_a_runtime_directory_a_login_lasts(
    engine: Engine, tmp_path: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_RUNTIME_DIR", f"{tmp_path}/none")
    monkeypatch.setattr("os.geteuid", lambda: 4242)
    expected = f"{tmp_path}/.config/containers/auth.json"
    assert place_of(engine, LoginOptions()).path == expected


@pytest.mark.parametrize(
    ("texts", "filters"),
    [
        ([], Filters()),
        (["stars=3"], Filters(stars=3)),
        (["stars=3", "stars=1"], Filters(stars=1)),
        (["is-official"], Filters(is_official=True)),
        (["is-official=true", "is-automated=false"], Filters(0, True, False)),
    ],
)
def test_filters(texts: list[str], filters: Filters) -> None:
    assert parse_filters(texts) == filters


@pytest.mark.parametrize("text", ["stars", "stars=-1", "stars=x", "is-official=yes", "name=x", ""])
def test_wrong_filters(text: str) -> None:
    with pytest.raises(UsageError):
        parse_filters([text])
