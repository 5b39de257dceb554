"""`Project`: what the files say, as one value that commands work on: services, networks, volumes, secrets, configs.

`load` makes it; services of profiles that are not active are kept apart. What only the whole project can show is
checked here: names that nothing has, services that wait for each other, container names that two have.
"""

from __future__ import annotations

import os
import re

from pod.base.records import Record
from pod.compose import places
from pod.compose.errors import ComposeError, FileError
from pod.compose.load import Loader
from pod.compose.schema_check import meant
from pod.compose.tree import Table

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from typing import Any

    from pod.compose.places import Asked

_NAME = re.compile(r"[a-z0-9][a-z0-9_-]*\Z")
_HAS_NAME = re.compile(rb"""^[ {]*["']?name["']?\s*:""", re.MULTILINE)


class NoSuchService(ComposeError):
    """A service that was named on the command line."""

    def __init__(self, name: str, known: Iterable[str]) -> None:
        known = list(known)
        super().__init__(
            f"there is no service '{name}'{meant(name, known)}",
            hint=f"the services are {', '.join(known)}" if known else None,
        )


class Project(Record):
    """A project. `services` are the active ones, by name; `inactive` those of other profiles.

    Networks, volumes, secrets and configs are by the keys of the file; `name_of` says what they are called.
    """

    name: str
    directory: str
    files: tuple[str, ...]
    variables: Mapping[str, str]
    services: Mapping[str, Any]
    inactive: Mapping[str, Any] = {}
    networks: Mapping[str, Any] = {}
    volumes: Mapping[str, Any] = {}
    secrets: Mapping[str, Any] = {}
    configs: Mapping[str, Any] = {}
    models: Mapping[str, Any] = {}
    extensions: Mapping[str, Any] = {}
    above: tuple[tuple[tuple[Any, ...], str, tuple[str, int]], ...] = ()
    """Keys that are not in what is above any more, with the name of their row in support.py and their places."""
    profiles: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()
    separator: str = "-"
    """Between the parts of names of containers and images."""
    all_resources: bool = False

    def service(self, name: str) -> Any:
        """An active service, or one that becomes active by being named. Raises NoSuchService."""
        found = self.services.get(name) or self.inactive.get(name)
        if found is None:
            raise NoSuchService(name, [*self.services, *self.inactive])
        return found

    def name_of(self, kind: str, key: str) -> str:
        """What a network, volume, secret or config is called outside of the file."""
        resource = getattr(self, kind)[key]
        if resource.get("name"):
            return str(resource["name"])
        return key if resource.get("external") else f"{self.name}_{key}"


def load(
    asked: Asked,
    environment: Mapping[str, str] | None = None,
    *,
    interpolate: bool = True,
    consistent: bool = True,
    resolve_paths: bool = True,
) -> Project:
    """Read the files of a project, and `check` it if it shall be consistent. Raises FileError, NoFile, ComposeError."""
    environment = os.environ if environment is None else environment
    found = places.find(asked, environment)
    loader = Loader(interpolate=interpolate, fetch=asked.fetch, resolve_paths=resolve_paths)
    name, variables, is_given = _named(asked, found)
    whole = loader.load(found.files, found.directory, variables)
    warnings = [*loader.warnings, *loader.say_missing()]
    if "version" in whole:
        file, line = whole.place_of("version")
        warnings.append(f"{file}:{line}: 'version' is ignored: nothing depends on it")
        loader.settled.append((("version",), "version", (file, line)))
    if whole.get("name") and not is_given:
        name = _checked_name(str(whole["name"]), whole.place_of("name"))
    profiles = asked.profiles or tuple(
        part for part in variables.get("COMPOSE_PROFILES", "").split(",") if part
    )
    services, inactive = _by_profile(whole.get("services") or Table(), profiles)
    project = Project(
        name=name,
        directory=found.directory,
        files=tuple(found.files),
        variables=variables,
        services=services,
        inactive=inactive,
        networks=_resources(whole, "networks"),
        volumes=_resources(whole, "volumes"),
        secrets=_resources(whole, "secrets"),
        configs=_resources(whole, "configs"),
        models=_resources(whole, "models"),
        extensions={key: whole[key] for key in whole if key.startswith("x-")},
        above=(*_above(whole), *loader.settled),
        profiles=tuple(profiles),
        warnings=tuple(warnings),
        separator="_"
        if asked.compatibility or places.says(variables, "COMPOSE_COMPATIBILITY")
        else "-",
        all_resources=asked.all_resources,
    )
    if consistent:
        check(project)
    return project


def name_only(asked: Asked, environment: Mapping[str, str] | None = None) -> str:
    """The project's name where -p or the environment gives one, so that no file is needed; "" otherwise."""
    environment = os.environ if environment is None else environment
    given = asked.name or environment.get("COMPOSE_PROJECT_NAME", "")
    return _checked_name(given, None) if given else ""


def with_named(project: Project, names: Iterable[str]) -> Project:
    """The project with these services active, whatever their profiles, and those that they depend on."""
    services = dict(project.services)
    inactive = dict(project.inactive)
    waiting = [name for name in names if name in inactive]
    while waiting:
        name = waiting.pop()
        if name in inactive:
            services[name] = inactive.pop(name)
            waiting += [key for key in dependencies(services[name]) if key in inactive]
    return project.replace(services=services, inactive=inactive)


def dependencies(service: Any) -> dict[str, dict[str, Any]]:
    """The services that one needs: those it says, and those whose namespaces or volumes it uses."""
    found: dict[str, dict[str, Any]] = {
        name: dict(how) for name, how in (service.get("depends_on") or {}).items()
    }
    usual = {"condition": "service_started", "required": True}
    for key in ("network_mode", "ipc", "pid", "uts"):
        value = str(service.get(key, ""))
        if value.startswith("service:"):
            found.setdefault(value.partition(":")[2], {**usual, "restart": True})
    for entry in service.get("volumes_from") or ():
        if not entry.startswith("container:"):
            found.setdefault(entry.partition(":")[0], dict(usual))
    for entry in service.get("links") or ():
        found.setdefault(entry.partition(":")[0], dict(usual))
    return found


def check(project: Project) -> None:
    """Raise FileError for what the parts of a project say about each other and cannot hold."""
    everything = {**project.services, **project.inactive}
    names: dict[str, str] = {}
    for name, service in everything.items():
        _check_replicas(name, service)
    for name, service in project.services.items():
        _check_references(project, name, service, everything)
        own = service.get("container_name")
        if own is not None:
            at, where = service.place_of("container_name"), ("services", name, "container_name")
            if own in names:
                raise FileError(at, where, f"service '{names[own]}' has the name '{own}', too")
            if replicas(service) > 1:
                raise FileError(at, where, f"{replicas(service)} containers cannot have one name")
            names[own] = name
    _check_cycles(project)
    _check_ports(project)
    for kind in ("networks", "volumes", "secrets", "configs"):
        for name, resource in getattr(project, kind).items():
            _check_resource(kind, name, resource)


def replicas(service: Any) -> int:
    """How many containers a service has."""
    deploy = service.get("deploy") or {}
    return int(service.get("scale", deploy.get("replicas", 1)))


def _above(whole: Table) -> list[Any]:
    found: list[tuple[tuple[Any, ...], str, tuple[str, int]]] = [
        ((key,), key, whole.place_of(key))
        for key in whole
        if not key.startswith("x-") and key != "version"
    ]
    for kind in ("networks", "volumes", "secrets", "configs"):
        for key in whole.get(kind) or ():
            found.append(((kind, key), kind, whole[kind].place_of(key)))
    return found


def _named(asked: Asked, found: places.Places) -> tuple[str, dict[str, str], bool]:
    """The name as far as it is known before the files are read, the variables with it, and whether it was given."""
    variables = dict(found.variables)
    given = asked.name or variables.get("COMPOSE_PROJECT_NAME", "")
    name = _checked_name(given, None) if given else _from_files(found)
    name = name or _from_directory(found.directory)
    variables["COMPOSE_PROJECT_NAME"] = name
    return name, variables, bool(given)


def _from_files(found: places.Places) -> str:
    """`name:` of the last file that has one: it can be used as a variable in the files themselves."""
    from pod.compose.interpolate import Malformed, Unset, substitute
    from pod.compose.tree import parse

    name = ""
    for path in found.files:
        data = b"" if path == places.STDIN else places.read(path)
        if not _HAS_NAME.search(data):
            continue
        for document in parse(data, places.shown(path), []):
            if isinstance(document, Table) and isinstance(document.get("name"), str):
                try:
                    name = substitute(document["name"], found.variables)
                except (Unset, Malformed):
                    return ""  # said with its place when the file is loaded
    return name if _NAME.match(name) else ""


def _from_directory(directory: str) -> str:
    name = re.sub(r"[^a-z0-9_-]", "", os.path.basename(directory).lower()).lstrip("_-")
    if not name:
        raise ComposeError(
            f"the directory '{directory}' gives the project no name", hint="pod compose -p NAME ..."
        )
    return name


def _checked_name(name: str, place: Any) -> str:
    if not _NAME.match(name):
        raise FileError(
            place,
            ("name",) if place else (),
            f"the project name '{name}' is not of lower-case letters, digits, _ and -, not beginning with _ or -",
        )
    return name


def _by_profile(services: Any, profiles: Iterable[str]) -> tuple[dict[str, Any], dict[str, Any]]:
    active: dict[str, Any] = {}
    inactive: dict[str, Any] = {}
    chosen = set(profiles)
    for name, service in services.items():
        own = set(service.get("profiles") or ())
        is_active = not own or "*" in chosen or bool(own & chosen)
        (active if is_active else inactive)[name] = service
    return active, inactive


def _resources(whole: Table, kind: str) -> Any:
    found = whole.get(kind) or Table()
    for name in found:
        if found[name] is None:
            found[name] = Table(place=found.place_of(name))
    return found


def _check_replicas(name: str, service: Any) -> None:
    for key, value in (
        ("scale", service.get("scale", 0)),
        ("deploy", (service.get("deploy") or {}).get("replicas", 0)),
    ):
        if not str(value).isdecimal():
            path = ("services", name, key, "replicas")[: 3 if key == "scale" else 4]
            raise FileError(service.place_of(key), path, f"'{value}' is not a number of containers")


def _check_references(project: Project, name: str, service: Any, everything: Any) -> None:
    path = ("services", name)
    for other, how in dependencies(service).items():
        at = service.place_of("depends_on")
        key = (
            "depends_on"
            if other in (service.get("depends_on") or {})
            else _key_naming(service, other)
        )
        if other not in everything:
            raise FileError(
                service.place_of(key), (*path, key),
                f"there is no service '{other}'{meant(other, everything)}",
            )  # fmt: skip
        if other == name:
            raise FileError(service.place_of(key), (*path, key), "a service cannot need itself")
        if other not in project.services and how.get("required", True):
            wanted = ", ".join(everything[other].get("profiles", ()))
            raise FileError(
                at, (*path, key), f"service '{other}' is not active: it has the profile {wanted}",
                hint=f"--profile {wanted.partition(',')[0]}, or required: false",
            )  # fmt: skip
    networks = service.get("networks")
    if networks and service.get("network_mode"):
        raise FileError(
            service.place_of("network_mode"), (*path, "network_mode"), "it excludes 'networks'"
        )
    for network in networks or ():
        if network != "default" and network not in project.networks:
            raise _undeclared(networks.place_of(network), (*path, "networks", network), "network", network,
                              project.networks)  # fmt: skip
    for index, mount in enumerate(service.get("volumes") or ()):
        source = mount.get("source")
        if mount["type"] == "volume" and source and source not in project.volumes:
            raise _undeclared(service["volumes"].place_of(index), (*path, "volumes", index), "volume", source,
                              project.volumes)  # fmt: skip
    for kind in ("secrets", "configs"):
        for index, use in enumerate(service.get(kind) or ()):
            if use["source"] not in getattr(project, kind):
                raise _undeclared(service[kind].place_of(index), (*path, kind, index), kind[:-1], use["source"],
                                  getattr(project, kind))  # fmt: skip
    if "image" not in service and "build" not in service and "provider" not in service:
        raise FileError(
            everything_place(service), path, "it has neither 'image' nor 'build'",
            hint="image: NAME, or build: DIRECTORY",
        )  # fmt: skip


_SOURCES = ("file", "environment", "content")


def _check_resource(kind: str, name: str, resource: Any) -> None:
    """What is made outside of the project has nothing but a name here; a secret or config comes from one place."""
    from pod.compose.reading import is_true

    if is_true(resource.get("external") or False):
        more = [key for key in resource if key not in {"name", "external"} and key[:2] != "x-"]
        if more:
            raise FileError(
                resource.place_of(more[0]), (kind, name, more[0]), "what is external is used as it is",
                hint=f"leave out '{more[0]}', or external: true",
            )  # fmt: skip
    sources = [key for key in _SOURCES if key in resource]
    if kind in {"secrets", "configs"} and len(sources) > 1:
        raise FileError(
            resource.place_of(sources[1]), (kind, name, sources[1]), f"it excludes '{sources[0]}'"
        )


def everything_place(service: Any) -> Any:
    """Where a service begins."""
    return service.place if isinstance(service, Table) else None


def _undeclared(place: Any, path: Any, what: str, name: str, known: Any) -> FileError:
    return FileError(
        place,
        path,
        f"there is no {what} '{name}'{meant(name, known)}",
        hint=f"declare it at the top: {what}s: {{{name}: {{}}}}",
    )


def _key_naming(service: Any, other: str) -> str:
    for key in ("network_mode", "ipc", "pid", "uts"):
        if service.get(key) == f"service:{other}":
            return key
    for key in ("volumes_from", "links"):
        if any(entry.partition(":")[0] == other for entry in service.get(key) or ()):
            return key
    return "depends_on"


def _check_cycles(project: Project) -> None:
    done: set[str] = set()

    def visit(name: str, trail: tuple[str, ...]) -> None:
        if name in trail:
            circle = [*trail[trail.index(name) :], name]
            service = project.services[name]
            raise FileError(
                service.place_of("depends_on"), ("services", name, "depends_on"),
                f"services wait for each other: {' -> '.join(circle)}",
            )  # fmt: skip
        if name in done or name not in project.services:
            return
        for other in dependencies(project.services[name]):
            visit(other, (*trail, name))
        done.add(name)

    for name in project.services:
        visit(name, ())


def _check_ports(project: Project) -> None:
    """Two services cannot publish the same port of the same address."""
    taken: dict[tuple[str, str, str], str] = {}
    for name, service in project.services.items():
        for index, port in enumerate(service.get("ports") or ()):
            published = port.get("published", "")
            if not published or "-" in published:
                continue
            key = (port.get("host_ip", ""), published, port["protocol"])
            if key in taken:
                raise FileError(
                    service["ports"].place_of(index), ("services", name, "ports", index),
                    f"port {published}/{port['protocol']} is published by service '{taken[key]}' already",
                )  # fmt: skip
            taken[key] = name
