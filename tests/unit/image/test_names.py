"""Short names, rules and mirrors."""

from __future__ import annotations

import pytest

from pod.image.names import (
    AmbiguousName,
    Endpoint,
    Mirror,
    NoRegistry,
    RegistriesConfig,
    RegistryBlocked,
    Rule,
    endpoints,
    local_names,
    name_for_new_image,
    registry_endpoint,
    resolve,
)
from pod.spec.reference import InvalidReference, parse

HEX = "ab" * 32
ALIASES = {"fedora": "registry.fedoraproject.org/fedora", "bad": "short", "gone": ""}
TWO = RegistriesConfig(search=("quay.io", "docker.io"), aliases=ALIASES)


def resolved(name: str, config: RegistriesConfig, *, interactive: bool = False) -> list[str]:
    return [
        str(found) for found in resolve(parse(name), config, interactive=interactive).references
    ]


@pytest.mark.parametrize(
    ("name", "config", "full"),
    [
        ("nginx", RegistriesConfig(), ["docker.io/library/nginx:latest"]),
        ("a/b:1", RegistriesConfig(), ["docker.io/a/b:1"]),
        ("quay.io/x", TWO, ["quay.io/x:latest"]),
        ("fedora:40", TWO, ["registry.fedoraproject.org/fedora:40"]),
        (f"fedora@sha256:{HEX}", TWO, [f"registry.fedoraproject.org/fedora@sha256:{HEX}"]),
        ("gone", RegistriesConfig(aliases=ALIASES), ["docker.io/library/gone:latest"]),
    ],
)
def test_full_names(name: str, config: RegistriesConfig, full: list[str]) -> None:
    assert resolved(name, config) == full


def test_several_registries_are_never_guessed_when_enforcing() -> None:
    with pytest.raises(AmbiguousName) as error:
        resolve(parse("nginx"), TWO, interactive=False)
    assert "any of quay.io, docker.io" in error.value.message
    assert "quay.io/nginx:latest" in (error.value.hint or "")


def test_a_person_is_asked() -> None:
    assert resolve(parse("nginx"), TWO, interactive=True).ask


@pytest.mark.parametrize("mode", ["permissive", "disabled"])
def test_other_modes_try_one_after_the_other(mode: str) -> None:
    config = TWO.replace(short_name_mode=mode)
    assert resolved("nginx", config) == ["quay.io/nginx:latest", "docker.io/library/nginx:latest"]
    assert resolve(parse("nginx"), config, interactive=True).ask == (mode == "permissive")


def test_no_registry_to_search() -> None:
    with pytest.raises(NoRegistry):
        resolve(parse("nginx"), RegistriesConfig(search=()), interactive=True)


def test_alias_must_be_a_full_name() -> None:
    with pytest.raises(InvalidReference, match="alias 'bad'"):
        resolve(parse("bad"), TWO, interactive=False)


def test_local_images_come_before_pulled_ones() -> None:
    assert local_names(
        parse("fedora:40"), RegistriesConfig(search=("quay.io",), aliases=ALIASES)
    ) == (
        "localhost/fedora:40",
        "registry.fedoraproject.org/fedora:40",
        "quay.io/fedora:40",
        "docker.io/library/fedora:40",
    )
    assert local_names(parse("quay.io/a"), TWO) == ("quay.io/a:latest",)


def test_new_images_are_localhosts() -> None:
    assert str(name_for_new_image(parse("mine"))) == "localhost/mine:latest"
    assert str(name_for_new_image(parse("quay.io/mine:1"))) == "quay.io/mine:1"


def test_docker_hub_answers_elsewhere() -> None:
    (endpoint,) = endpoints(parse("nginx").normalized(), RegistriesConfig())
    assert endpoint == Endpoint("docker.io", "library/nginx")
    assert endpoint.host == "registry-1.docker.io"


RULES = RegistriesConfig(
    rules=(
        Rule("docker.io", mirrors=(Mirror("mirror.lan:5000/hub", insecure=True),)),
        Rule("docker.io/library", location="quay.io/copies"),
        Rule("example.com/foo", location="other.org/bar", insecure=True),
        Rule("*.corp.example", location="proxy.lan"),
        Rule("*.deep.corp.example"),
        Rule("evil.io", blocked=True),
        Rule("evil.io/good", location="evil.io/good"),
        Rule(
            "pinned.io",
            mirror_by_digest_only=True,
            mirrors=(Mirror("m1.io"), Mirror("m2.io", pull="tag-only")),
        ),
        Rule(
            "mixed.io",
            mirrors=(Mirror("d.io", pull="digest-only"), Mirror("t.io", pull="tag-only")),
        ),
    )
)


@pytest.mark.parametrize(
    ("name", "places"),
    [
        ("docker.io/me/x", ["mirror.lan:5000/hub/me/x !", "docker.io/me/x"]),
        ("docker.io/nginx", ["quay.io/copies/nginx"]),
        ("docker.iox/nginx", ["docker.iox/nginx"]),
        ("example.com/foo/x", ["other.org/bar/x !"]),
        ("example.com/foo:1", ["other.org/bar !"]),
        ("example.com/foobar", ["example.com/foobar"]),
        ("a.corp.example/x", ["proxy.lan/x"]),
        ("a.corp.example:5000/x", ["proxy.lan/x"]),
        ("a.deep.corp.example/x", ["a.deep.corp.example/x"]),
        ("corp.example/x", ["corp.example/x"]),
        ("evil.io/good/x", ["evil.io/good/x"]),
        ("pinned.io/x:1", ["pinned.io/x"]),
        (f"pinned.io/x@sha256:{HEX}", ["m1.io/x", "pinned.io/x"]),
        (f"mixed.io/x@sha256:{HEX}", ["d.io/x", "mixed.io/x"]),
        ("mixed.io/x", ["t.io/x", "mixed.io/x"]),
    ],
)
def test_places(name: str, places: list[str]) -> None:
    found = endpoints(parse(name).with_default_tag(), RULES)
    assert [f"{place.name}{' !' if place.insecure else ''}" for place in found] == places
    assert [place.is_mirror for place in found] == [True] * (len(found) - 1) + [False]


def test_blocked_registry() -> None:
    with pytest.raises(RegistryBlocked, match=r"blocks 'evil\.io'"):
        endpoints(parse("evil.io/x"), RULES)


@pytest.mark.parametrize(("option", "insecure"), [(None, True), (True, False), (False, True)])
def test_tls_option_beats_the_configuration(option: bool | None, insecure: bool) -> None:
    (endpoint,) = endpoints(parse("example.com/foo/x"), RULES, tls_verify=option)
    assert endpoint.insecure is insecure


@pytest.mark.parametrize(
    ("name", "rewrite", "host", "insecure"),
    [
        ("a.io", False, "a.io", False),
        ("b.io", False, "b.io", True),
        ("b.io", True, "elsewhere:5000", True),
        ("b.io/team", False, "b.io", True),
        ("c.io", True, "c.io", False),
        ("docker.io", True, "registry-1.docker.io", False),
    ],
)
def test_registry_itself(name: str, rewrite: bool, host: str, insecure: bool) -> None:
    """For a login it is asked under its own name; for a search, where its images are, if that is a whole registry."""
    rules = (
        Rule("b.io", "elsewhere:5000", insecure=True),
        Rule("c.io", "elsewhere:5000/copies"),
        Rule("evil.io", blocked=True),
    )
    config = RegistriesConfig(rules=rules)
    endpoint = registry_endpoint(name, config, rewrite=rewrite)
    assert (endpoint.host, endpoint.insecure) == (host, insecure)
    with pytest.raises(RegistryBlocked, match=r"'evil\.io' may not be used"):
        registry_endpoint("evil.io", config)
