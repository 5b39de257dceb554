"""`pod search`: by a registry's search, by its catalogue, and the tags of a repository."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from tests.integration.image.faulty import FaultyRegistry, Reply, Seen
from tests.support import images
from tests.support.engine import Engine
from tests.support.registry import Registry
from tests.support.waiting import free_port

INSECURE = "--tls-verify=false"
LONG = "It does much\nand is " + "x" * 60
RESULTS = [
    {"name": "team/web", "description": LONG, "star_count": 12, "is_official": False, "is_automated": True},
    {"name": "web", "description": "The web", "star_count": 300, "is_official": True, "is_automated": False},
    {"name": "me/web", "description": None, "star_count": 0, "is_official": False, "is_automated": False},
]  # fmt: skip


@pytest.fixture
def hub(server: FaultyRegistry) -> FaultyRegistry:
    """A registry that has a search."""

    def answer(seen: Seen) -> Reply | None:
        if not seen.path.startswith("/v1/search?"):
            return None
        limit = int(parse_qs(urlsplit(seen.path).query)["n"][0])
        body = json.dumps({"num_results": 3, "query": "web", "results": RESULTS[:limit]}).encode()
        return Reply(200, {"Content-Type": "application/json"}, body)

    server.answer = answer
    return server


def names(pod: Engine, *words: str) -> list[str]:
    """What is found, without the registry."""
    return [
        line.partition("/")[2]
        for line in pod("search", INSECURE, "--format", "{{.Name}}", *words).lines
    ]


def test_registry_with_a_search(pod: Engine, hub: FaultyRegistry) -> None:
    table = pod("search", INSECURE, f"{hub.host}/web").lines
    assert table[0].split() == ["NAME", "DESCRIPTION"]
    assert table[1].split(maxsplit=1) == [
        f"{hub.host}/team/web",
        "It does much and is xxxxxxxxxxxxxxxxxxxxxxxx...",
    ]
    assert [line.split()[0] for line in table[1:]] == [
        f"{hub.host}/{name}" for name in ("team/web", "web", "me/web")
    ]
    assert "x" * 60 in pod("search", INSECURE, "--no-trunc", f"{hub.host}/web").stdout
    compatible = pod("search", INSECURE, "--compatible", f"{hub.host}/web").lines
    assert compatible[0].split() == ["NAME", "DESCRIPTION", "STARS", "OFFICIAL", "AUTOMATED"]
    assert compatible[2].split() == [f"{hub.host}/web", "The", "web", "300", "[OK]"]
    assert hub.seen("/v1/search")[-1].path in {"/v1/search?q=web&n=25", "/v1/search?n=25&q=web"}


@pytest.mark.parametrize(
    ("words", "found"),
    [
        (["--filter", "stars=12"], ["team/web", "web"]),
        (["--filter", "is-official"], ["web"]),
        (["-f", "is-official=false", "-f", "stars=1"], ["team/web"]),
        (["-f", "is-official=false,is-automated=false"], ["me/web"]),
        (["--limit", "1"], ["team/web"]),
        (["--limit", "2", "-f", "is-official"], ["web"]),
    ],
)
def test_filters_and_limit(
    pod: Engine, hub: FaultyRegistry, words: list[str], found: list[str]
) -> None:
    assert names(pod, *words, f"{hub.host}/web") == found


def test_json(pod: Engine, hub: FaultyRegistry) -> None:
    found = pod("search", INSECURE, "--format", "json", "--limit", "1", f"{hub.host}/web").json()
    assert found == [
        {
            "Index": hub.host,
            "Name": f"{hub.host}/team/web",
            "Description": LONG.replace("\n", " "),
            "Stars": 12,
            "Official": "",
            "Automated": "[OK]",
            "Tag": "",
        }
    ]


def test_several_registries(pod: Engine, hub: FaultyRegistry, tmp_path: Path) -> None:
    """A term without a registry: what each has, and one that fails is no end."""
    down = f"127.0.0.1:{free_port()}"
    conf = tmp_path / "registries.conf"
    env = {"CONTAINERS_REGISTRIES_CONF": str(conf)}
    with FaultyRegistry() as second:
        second.answer = hub.answer
        conf.write_text(
            f"unqualified-search-registries = {json.dumps([down, hub.host, second.host])}"
        )
        result = pod("search", INSECURE, "--format", "{{.Name}}", "web", "--limit", "1", env=env)
    assert result.lines == [f"{hub.host}/team/web", f"{second.host}/team/web"]
    conf.write_text(f'unqualified-search-registries = ["{down}"]')
    failed = pod("search", INSECURE, "web", env=env, status=125)
    assert down in failed.stderr


def test_registry_with_a_catalogue(
    pod: Engine, registry_with: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A real registry, which has no search."""
    private: Registry = registry_with(users={"jane": "secret"})
    for name in ("team/web", "web", "other"):
        private.push(images.image("busybox"), name)
    file = tmp_path / "auth.json"
    file.write_text(json.dumps({"auths": {private.host: {"auth": "amFuZTpzZWNyZXQ="}}}))
    monkeypatch.setitem(pod.environment, "REGISTRY_AUTH_FILE", str(file))
    assert names(pod, f"{private.host}/web") == ["web", "team/web"]
    assert names(pod, f"{private.host}/") == ["other", "team/web", "web"]
    assert names(pod, "--limit", "1", f"{private.host}/") == ["other"]
    assert names(pod, f"{private.host}/nothing") == []
    monkeypatch.delitem(pod.environment, "REGISTRY_AUTH_FILE")
    refused = pod("search", INSECURE, f"{private.host}/web", status=125)
    if pod.kind == "pod":
        assert "allows no search without a login" in refused.stderr
        assert f"Hint: pod login {private.host}" in refused.stderr


def test_catalogue_comes_in_pages(pod: Engine, server: FaultyRegistry) -> None:
    pages = {"": ["a/x", "b/x"], "last=b": ["c/x"], "last=c": []}
    after = {"": "last=b", "last=b": "last=c"}

    def answer(seen: Seen) -> Reply | None:
        path, _, query = seen.path.partition("?")
        if path != "/v2/_catalog":
            return None
        body = json.dumps({"repositories": pages[query]}).encode()
        link = f'</v2/_catalog?{after[query]}>; rel="next"' if query in after else ""
        return Reply(200, {"Link": link} if link else {}, body)

    server.answer = answer
    assert names(pod, f"{server.host}/x") == ["a/x", "b/x", "c/x"]


def test_registry_that_cannot_be_searched(pod: Engine, server: FaultyRegistry) -> None:
    result = pod("search", INSECURE, f"{server.host}/web", status=125)
    if pod.kind == "pod":
        assert "it has neither a search nor a catalogue" in result.stderr


@pytest.mark.not_podman("it takes some nonsense for an empty list")
@pytest.mark.parametrize("body", [b"", b"[]", b"null", b'{"repositories": 7}', b"<html>"])
def test_malformed_catalogue(pod: Engine, server: FaultyRegistry, body: bytes) -> None:
    server.fault("/v1/search", Reply(200, {}, body))
    server.fault("/v2/_catalog", Reply(200, {}, body))
    result = pod("search", INSECURE, f"{server.host}/web", status=125)
    assert "Traceback" not in result.stderr


def test_tags(pod: Engine, registry_with: Any) -> None:
    registry: Registry = registry_with()
    for tag in ("1", "2", "latest"):
        registry.push(images.image("busybox"), "team/web", tag)
    repository = f"{registry.host}/team/web"
    listed = pod("search", INSECURE, "--list-tags", repository).lines
    assert listed[0].split() == ["NAME", "TAG"]
    # In the registry's order, which is none.
    assert sorted(line.split()[1] for line in listed[1:]) == ["1", "2", "latest"]
    assert {line.split()[0] for line in listed[1:]} == {repository}
    few = pod("search", INSECURE, "--list-tags", "--limit", "2", repository).lines
    assert len(few) == 3
    (document,) = pod("search", INSECURE, "--list-tags", "--format", "json", repository).json()
    assert document["Name"] == repository
    assert sorted(document["Tags"]) == ["1", "2", "latest"]
    if pod.kind == "pod":  # version 4.3 of podman takes no template here
        alone = pod("search", INSECURE, "--list-tags", "--format", "{{.Tag}}", repository).lines
        assert sorted(alone) == ["1", "2", "latest"]
    pod("search", INSECURE, "--list-tags", f"{registry.host}/no/such", status=125)


@pytest.mark.parametrize(
    "words",
    [
        [],
        ["a", "b"],
        ["--filter", "stars=x", "localhost:1/a"],
        ["--filter", "odd=1", "localhost:1/a"],
        ["--list-tags", "--filter", "stars=1", "localhost:1/a"],
    ],
    ids=" ".join,
)
def test_wrong_usage(pod: Engine, words: list[str]) -> None:
    result = pod("search", *words, status=125)
    assert result.stdout == ""
    assert result.stderr
