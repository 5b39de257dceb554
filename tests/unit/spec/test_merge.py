"""What an image says and what the user says: who wins."""

from __future__ import annotations

from typing import Any

import pytest

from pod.spec.container import ContainerConfig, Networking
from pod.spec.merge import with_image_defaults
from pod.spec.mounts import Mount
from pod.spec.ports import parse_expose

IMAGE = {
    "Entrypoint": ["/entry", "-x"],
    "Cmd": ["serve", "all"],
    "Env": ["PATH=/image/bin", "A=image", "B=image"],
    "WorkingDir": "/work",
    "User": "www:33",
    "StopSignal": "SIGQUIT",
    "Labels": {"a": "image", "b": "image"},
    "Volumes": {"/data": {}, "/var/lib/": {}},
    "ExposedPorts": {"80/tcp": {}, "53/udp": {}},
}
DEFAULTS = {"PATH": "/bin", "container": "oci"}


def merged(image: dict[str, Any] | None = None, **config: Any) -> ContainerConfig:
    given: Any = IMAGE if image is None else image
    return with_image_defaults(ContainerConfig(**config), given, DEFAULTS)


@pytest.mark.parametrize(
    ("image", "entrypoint", "command", "expected"),
    [
        pytest.param(("/e",), None, (), ("/e", "c"), id="image"),
        pytest.param(("/e",), None, ("mine",), ("/e", "mine"), id="command"),
        pytest.param(("/e",), ("/mine",), (), ("/mine",), id="entrypoint-drops-the-images-command"),
        pytest.param(("/e",), ("/mine",), ("x",), ("/mine", "x"), id="both"),
        pytest.param(("/e",), (), ("x",), ("x",), id="empty-entrypoint"),
        pytest.param((), None, (), ("c",), id="image-without-entrypoint"),
    ],
)
def test_arguments(
    image: tuple[str, ...],
    entrypoint: tuple[str, ...] | None,
    command: tuple[str, ...],
    expected: tuple[str, ...],
) -> None:
    config = merged(
        {"Entrypoint": list(image), "Cmd": ["c"]}, entrypoint=entrypoint, command=command
    )
    assert config.arguments == expected


@pytest.mark.parametrize("image", [{}, dict.fromkeys(IMAGE)], ids=["empty", "null"])
def test_image_that_says_nothing(image: dict[str, Any]) -> None:
    config = merged(image)
    assert config.arguments == () and config.entrypoint == ()
    assert (config.working_directory, config.user, config.stop_signal) == ("/", "", "SIGTERM")
    assert config.environment == ("PATH=/bin", "container=oci")
    assert not config.mounts and not config.labels and not config.networking.expose


def test_image_that_says_all() -> None:
    config = merged()
    assert config.arguments == ("/entry", "-x", "serve", "all")
    assert (config.working_directory, config.user, config.stop_signal) == (
        "/work",
        "www:33",
        "SIGQUIT",
    )
    assert set(config.environment) == {"PATH=/image/bin", "A=image", "B=image", "container=oci"}
    assert config.labels == {"a": "image", "b": "image"}
    assert config.networking.expose == (parse_expose("80/tcp"), parse_expose("53/udp"))


def test_what_the_user_says_wins() -> None:
    config = merged(
        working_directory="/mine",
        user="root",
        stop_signal="SIGUSR1",
        environment=("A=mine", "C=mine"),
        unset_environment=("B",),
        merged_environment=("PATH=${PATH}:/more",),
        labels={"a": "mine"},
        networking=Networking(expose=(parse_expose("80"), parse_expose("81"))),
    )
    assert (config.working_directory, config.user, config.stop_signal) == (
        "/mine",
        "root",
        "SIGUSR1",
    )
    assert set(config.environment) == {"PATH=/image/bin:/more", "A=mine", "C=mine", "container=oci"}
    assert config.labels == {"a": "mine", "b": "image"}
    assert config.networking.expose == tuple(map(parse_expose, ("80", "81", "53/udp")))


def test_environment_can_be_emptied() -> None:
    config = merged(unset_all_environment=True, environment=("C=mine",))
    assert config.environment == ("C=mine",)


@pytest.mark.parametrize(
    ("kind", "expected"), [("anonymous", "volume"), ("tmpfs", "tmpfs"), ("ignore", "")]
)
def test_volumes_of_the_image(kind: str, expected: str) -> None:
    mine = Mount("bind", "/data", "/mine")
    config = merged(image_volumes=kind, mounts=(mine,))
    assert config.mounts[0] == mine  # not mounted over
    others = [(mount.kind, mount.target) for mount in config.mounts[1:]]
    assert others == ([(expected, "/var/lib")] if expected else [])


def test_odd_volumes_of_an_image() -> None:
    odd = {"/": {}, "": {}, "/..": {}, "x": {}, "/x/": {}, "/y/../x": {}, "//z//a": {}}
    assert [mount.target for mount in merged({"Volumes": odd}).mounts] == ["/x", "/z/a"]
