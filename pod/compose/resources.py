"""The networks, volumes, secrets and configs of a project: made before its containers, removed after them."""

from __future__ import annotations

import os

from pod.base import faults
from pod.base.errors import PodError
from pod.base.records import Record
from pod.compose import identity, mounts
from pod.compose.errors import ComposeError, FileError, Refused
from pod.compose.tree import text_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from typing import Any

    from pod.compose.project import Project
    from pod.engine.context import Engine
    from pod.spec.networks import NetworkConfig, Subnet
    from pod.state.secrets import Secret
    from pod.state.volumes import Volume

    Tell = Callable[[str, str, str], None]
    """Called with what is dealt with: "Network", its name, and what became of it: "Created"."""

_OPTIONS = "there are mtu, isolate, com.docker.network.bridge.name"
_OTHER_DRIVERS = {
    "macvlan": "only root can put containers on an interface of the host",
    "ipvlan": "only root can put containers on an interface of the host",
    "overlay": "pod runs on this machine only",
}


def make(engine: Engine, project: Project, services: Iterable[str], tell: Tell) -> None:
    """Make what these services use and what is not there. Raises FileError, ComposeError."""
    services = list(services)
    for key in _networks(project, services):
        if lacks_network(engine, project, key):
            _make_network(engine, project, key, tell)
    for key in _volumes(project, services):
        if lacks_volume(engine, project, key):
            _make_volume(engine, project, key, tell)
    _store_secrets(engine, project, services)


def lacking(engine: Engine, project: Project, services: Iterable[str]) -> list[tuple[str, str]]:
    """What `make` would make: "network" or "volume", and its name. Raises FileError as that does."""
    services = list(services)
    found = [
        ("network", network_name(project, key))
        for key in _networks(project, services)
        if lacks_network(engine, project, key)
    ]
    found += [
        ("volume", project.name_of("volumes", key))
        for key in _volumes(project, services)
        if lacks_volume(engine, project, key)
    ]
    return found


def _networks(project: Project, services: Iterable[str]) -> list[str]:
    """Those that are made: what is used, or all."""
    unused = project.networks if project.all_resources else ()
    return list(dict.fromkeys((*used_networks(project, services), *unused)))


def _volumes(project: Project, services: Iterable[str]) -> list[str]:
    unused = project.volumes if project.all_resources else ()
    return list(dict.fromkeys((*used_volumes(project, services), *unused)))


def used_networks(project: Project, services: Iterable[str]) -> list[str]:
    found: dict[str, None] = {}
    for name in services:
        found.update(dict.fromkeys(identity.networks_of(project, name)))
    return list(found)


def used_volumes(project: Project, services: Iterable[str]) -> list[str]:
    found: dict[str, None] = {}
    for name in services:
        for mount in project.service(name).get("volumes") or ():
            if mount["type"] == "volume" and mount.get("source"):
                found[mount["source"]] = None
    return list(found)


def network_name(project: Project, key: str) -> str:
    """What a network is called; `default` need not be in the file."""
    return project.name_of("networks", key) if key in project.networks else f"{project.name}_{key}"


def is_external(project: Project, kind: str, key: str) -> bool:
    from pod.compose.reading import is_true

    return is_true((getattr(project, kind).get(key) or {}).get("external", False))


def lacks_network(engine: Engine, project: Project, key: str) -> bool:
    """Whether a network is to be made. Raises FileError for one that is not there, or not this project's."""
    from pod.state import networks as rows

    name = network_name(project, key)
    place = project.networks.place_of(key) if key in project.networks else None  # type: ignore[attr-defined]
    try:
        existing: NetworkConfig | None = rows.find(engine.database, name)
    except PodError:
        existing = None
    if existing is not None and existing.name == name:
        if not is_external(project, "networks", key):
            _check_owner(place, ("networks", key), "network", name, existing.labels, project)
        return False
    if is_external(project, "networks", key):
        raise FileError(
            place, ("networks", key), f"network '{name}' is external, and it is not there",
            hint=f"pod network create {name}",
        )  # fmt: skip
    return True


def _make_network(engine: Engine, project: Project, key: str, tell: Tell) -> None:
    from pod.engine import networks

    name = network_name(project, key)
    settings = project.networks.get(key) or {}
    place = project.networks.place_of(key) if key in project.networks else None  # type: ignore[attr-defined]
    arguments = network_arguments(settings, place, ("networks", key))
    labels = {
        **(settings.get("labels") or {}), **identity.of_project(project), identity.NETWORK: key,
    }  # fmt: skip
    try:
        networks.create(engine, name, labels=labels, ignore=True, **arguments)
    except FileError:
        raise
    except PodError as error:
        raise FileError(place, ("networks", key), error.message, error.hint) from error
    faults.step("compose: network made")
    tell("Network", name, "Created")


def network_arguments(settings: Any, place: Any, path: tuple[Any, ...]) -> dict[str, Any]:
    """What `networks.create` gets of a network in the file. Raises FileError."""
    from pod.base.units import parse_boolean, parse_integer
    from pod.compose.reading import is_true

    driver = settings.get("driver") or "bridge"
    if driver not in {"bridge", "default"}:
        raise Refused(
            place, (*path, "driver"), f"'{driver}': {_OTHER_DRIVERS.get(driver, 'pod has the driver bridge')}"
        )  # fmt: skip
    if not is_true(settings.get("enable_ipv4", True)):
        raise Refused(place, (*path, "enable_ipv4"), "a network has IPv4 unless its subnet says otherwise",
                      "ipam: {config: [{subnet: fd00:1::/64}]}")  # fmt: skip
    options = settings.get("driver_opts") or {}
    found: dict[str, Any] = {
        "internal": is_true(settings.get("internal", False)),
        "ipv6": is_true(settings.get("enable_ipv6", False)),
        "options": {key: text_of(value) for key, value in options.items()},
    }
    for option, value in options.items():
        text = text_of(value)
        if option in {"mtu", "com.docker.network.driver.mtu"}:
            found["mtu"] = parse_integer(text, option, 68, 65535)
        elif option == "isolate":
            found["isolate"] = text == "strict" or parse_boolean(text, option)
        elif option == "com.docker.network.bridge.name":
            found["interface"] = text
        else:
            raise Refused(place, (*path, "driver_opts", option), _OPTIONS)
    found["subnets"] = _subnets(settings.get("ipam") or {}, place, (*path, "ipam"))
    return found


def _subnets(ipam: Any, place: Any, path: tuple[Any, ...]) -> list[Subnet]:
    from pod.spec.networks import parse_subnet, with_reserved

    if ipam.get("driver", "default") != "default":
        raise Refused(
            place, (*path, "driver"), f"'{ipam['driver']}': pod gives the addresses itself"
        )
    if ipam.get("options"):
        raise Refused(place, (*path, "options"), "there are none")
    found = []
    for index, entry in enumerate(ipam.get("config") or ()):
        where = (*path, "config", index)
        if not entry.get("subnet"):
            raise FileError(place, where, "the key 'subnet' is missing")
        try:
            subnet = parse_subnet(
                "subnet", entry["subnet"], entry.get("gateway", ""), entry.get("ip_range", "")
            )
            others = (entry.get("aux_addresses") or {}).values()
            found.append(with_reserved("aux_addresses", subnet, map(text_of, others)))
        except PodError as error:
            raise FileError(place, where, error.message, error.hint) from error
    return found


def lacks_volume(engine: Engine, project: Project, key: str) -> bool:
    """Whether a volume is to be made. Raises FileError for one that is not there, or that pod cannot make."""
    from pod.state import volumes as rows

    name = project.name_of("volumes", key)
    settings = project.volumes.get(key) or {}
    place = project.volumes.place_of(key)  # type: ignore[attr-defined]
    existing = rows.get(engine.database, name)
    if existing is not None:
        if not is_external(project, "volumes", key):
            _warn_of_owner("volume", name, existing.labels, project)
        return False
    if is_external(project, "volumes", key):
        raise FileError(
            place, ("volumes", key), f"volume '{name}' is external, and it is not there",
            hint=f"pod volume create {name}",
        )  # fmt: skip
    if settings.get("driver", "local") not in {"local", "default", ""}:
        raise Refused(place, ("volumes", key, "driver"), "pod has the driver local only")
    return True


def _make_volume(engine: Engine, project: Project, key: str, tell: Tell) -> None:
    from pod.engine import volumes

    name = project.name_of("volumes", key)
    settings = project.volumes.get(key) or {}
    place = project.volumes.place_of(key)  # type: ignore[attr-defined]
    labels = {
        **(settings.get("labels") or {}), **identity.of_project(project), identity.VOLUME: key,
    }  # fmt: skip
    options = {k: text_of(v) for k, v in (settings.get("driver_opts") or {}).items()}
    try:
        volumes.create(engine, name, labels=labels, options=options, ignore=True)
    except PodError as error:
        raise FileError(place, ("volumes", key), error.message, error.hint) from error
    tell("Volume", name, "Created")


def _check_owner(
    place: Any, path: Any, what: str, name: str, labels: Any, project: Project
) -> None:
    """A network that another project has made is not taken over."""
    owner = labels.get(identity.PROJECT)
    if owner != project.name:
        whose = f"project '{owner}'" if owner else "nobody's project"
        raise FileError(
            place, path, f"there is a {what} '{name}' already, which belongs to {whose}",
            hint="external: true uses it as it is; name: OTHER takes another",
        )  # fmt: skip


def _warn_of_owner(what: str, name: str, labels: Any, project: Project) -> None:
    from pod.base import log

    owner = labels.get(identity.PROJECT)
    if owner != project.name:
        log.warning(
            f"{what} '{name}' is there already and was not made by this project; external: true says that it is meant"
        )


def contents(project: Project, name: str) -> dict[str, str]:
    """Digests of the secrets and configs that are copied into the containers of a service."""
    import hashlib

    found = {}
    for kind in ("secrets", "configs"):
        for use in project.service(name).get(kind) or ():
            resource = getattr(project, kind)[use["source"]]
            if not mounts.is_mounted(resource, use) and not is_external(
                project, kind, use["source"]
            ):
                data = _content(project, kind, use["source"])
                found[f"{kind}:{use['source']}"] = hashlib.sha256(data).hexdigest()
    return found


def check_secrets(engine: Engine, project: Project, services: Iterable[str]) -> None:
    """Raise FileError for a secret or config whose file, variable or external original is not there."""
    from pod.engine import secrets

    stored: set[str] | None = None
    for kind, key in _used_secrets(project, services):
        resource = getattr(project, kind)[key]
        if is_external(project, kind, key):
            if stored is None:
                stored = {one.name for one in secrets.store(engine).all()}
            name = project.name_of(kind, key)
            if name not in stored:
                raise FileError(
                    getattr(project, kind).place_of(key), (kind, key),
                    f"it is external, and there is no secret '{name}'", hint=f"pod secret create {name} FILE",
                )  # fmt: skip
        elif "file" in resource and not os.path.exists(resource["file"]):
            raise FileError(
                resource.place_of("file"), (kind, key, "file"), f"there is no file '{resource['file']}'"
            )  # fmt: skip
        else:
            _content(project, kind, key)


def _used_secrets(project: Project, services: Iterable[str]) -> list[tuple[str, str]]:
    found: dict[tuple[str, str], None] = {}
    for name in services:
        for kind in ("secrets", "configs"):
            for use in project.service(name).get(kind) or ():
                found[kind, use["source"]] = None
    return list(found)


def _store_secrets(engine: Engine, project: Project, services: Iterable[str]) -> None:
    """Store what is copied into containers as secrets of pod, under the name of the project."""
    from pod.engine import secrets

    for kind, key in _used_secrets(project, services):
        if is_external(project, kind, key):
            continue
        uses = [
            use
            for name in services
            for use in project.service(name).get(kind) or ()
            if use["source"] == key
        ]
        if all(mounts.is_mounted(getattr(project, kind)[key], use) for use in uses):
            continue
        name = mounts.stored_name(project, kind, key)
        data = _content(project, kind, key)
        existing = next((one for one in secrets.store(engine).all() if one.name == name), None)
        if existing is not None:
            if existing.labels.get(identity.PROJECT) != project.name:
                raise ComposeError(
                    f"there is a secret '{name}' already, which this project has not made",
                    hint=f"pod secret rm {name}, or external: true",
                )
            if secrets.content(engine, existing) == data:
                continue
        labels = {
            **(getattr(project, kind)[key].get("labels") or {}),
            **identity.of_project(project),
        }
        secrets.create(engine, name, data, labels=labels, replace=True)
        faults.step("compose: secret stored")


def _content(project: Project, kind: str, key: str) -> bytes:
    """What is in a secret or config. Raises FileError."""
    resource = getattr(project, kind)[key]
    place, path = getattr(project, kind).place_of(key), (kind, key)
    if "file" in resource:
        try:
            with open(resource["file"], "rb") as file:
                return file.read()
        except OSError as error:
            raise FileError(
                resource.place_of("file"), (*path, "file"), f"'{resource['file']}' cannot be read: {error.strerror}"
            ) from error  # fmt: skip
    if "content" in resource:
        return str(resource["content"]).encode()
    if "environment" in resource:
        value = project.variables.get(resource["environment"])
        if value is None:
            raise FileError(
                resource.place_of("environment"), (*path, "environment"),
                f"the variable '{resource['environment']}' is not set",
            )  # fmt: skip
        return os.fsencode(value)
    raise FileError(
        place, path, "it says not where it comes from",
        hint="file: FILE, environment: NAME, or external: true",
    )  # fmt: skip


def remove(engine: Engine, project_name: str, tell: Tell, *, with_volumes: bool) -> list[PodError]:
    """Remove the networks and secrets of a project, with its volumes if wanted; what could not be, as errors."""
    from pod.engine import networks, secrets, volumes
    from pod.state.volumes import VolumeInUse

    errors: list[PodError] = []
    own = of_project(engine, project_name, with_volumes=with_volumes)
    for volume in own.volumes:
        try:
            volumes.remove(engine, volume.name)
        except VolumeInUse as error:
            if volume.labels.get(identity.PROJECT) == project_name:
                errors.append(error)  # others have taken over what is anonymous
        except PodError as error:
            errors.append(error)
        else:
            tell("Volume", volume.name, "Removed")
    for network in own.networks:
        try:
            networks.remove(engine, network.name)
        except PodError as error:
            errors.append(error)
        else:
            faults.step("compose: network removed")
            tell("Network", network.name, "Removed")
    for secret in own.secrets:
        secrets.remove(engine, secret)
        faults.step("compose: secret removed")
    return errors


class Own(Record):
    """What there is of a project besides its containers."""

    volumes: tuple[Volume, ...]
    networks: tuple[NetworkConfig, ...]
    secrets: tuple[Secret, ...]


def of_project(engine: Engine, name: str, *, with_volumes: bool) -> Own:
    from pod.engine import secrets, volumes
    from pod.state import networks as network_rows
    from pod.state import volumes as volume_rows

    label = identity.PROJECT
    found = volume_rows.all_of(engine.database) if with_volumes else ()
    return Own(
        tuple(
            it for it in found
            if name in (it.labels.get(label), it.labels.get(volumes.ANONYMOUS_OF_PROJECT))
        ),
        tuple(it for it in network_rows.all_of(engine.database) if it.labels.get(label) == name),
        tuple(it for it in secrets.store(engine).all() if it.labels.get(label) == name),
    )  # fmt: skip
