"""`pod-system-generator`: quadlets in, services out; systemd runs it at boot and at `daemon-reload`.

    pod-system-generator [--user] [--dryrun] NORMAL-DIRECTORY [EARLY-DIRECTORY LATE-DIRECTORY]

See systemd.generator(7). systemd waits for it, so it imports little and asks nobody: no image is looked for, and the
database of pod is not opened. What is wrong with a file is said on standard error, and the others are still written.
"""

from __future__ import annotations

import os
import sys

from pod.quadlet import places
from pod.quadlet.reader import QuadletError, read
from pod.quadlet.service import Quadlet, Service, World

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from typing import NoReturn

_NAME = "pod-system-generator"
_USAGE = f"usage: {_NAME} [--user] [--dryrun] DIRECTORY [DIRECTORY DIRECTORY]"
_IGNORED = frozenset(("--no-kmsg-log", "-no-kmsg-log", "-v", "--v", "--verbose"))  # of podman's


class Generated:
    """Texts of services by file name, links by their names, and what was wrong, in the order it was found."""

    def __init__(self) -> None:
        self.services: dict[str, str] = {}
        self.links: dict[str, str] = {}
        self.errors: list[QuadletError] = []


def main() -> NoReturn:
    """The program."""
    status = run(sys.argv)
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(status)


def run(argv: Sequence[str]) -> int:
    name = os.path.basename(argv[0])
    user = "user-generator" in name
    dry = False
    directories = []
    for word in argv[1:]:
        if word in {"--user", "-user"}:
            user = True
        elif word in {"--dryrun", "-dryrun"}:
            dry = True
        elif word in {"--version", "-version"}:
            from pod.base.version import VERSION

            print(VERSION)
            return 0
        elif word.startswith("-") and word not in _IGNORED:
            print(f"{name}: '{word}' is no option\n{_USAGE}", file=sys.stderr)
            return 2
        elif not word.startswith("-"):
            directories.append(word)
    if not dry and not directories:
        print(_USAGE, file=sys.stderr)
        return 2
    generated = generate(places.search_directories(user=user), [program(argv[0])])
    for error in generated.errors:
        print(f"{name}: {error.message}", file=sys.stderr)
    if dry:
        show(generated)
    else:
        try:
            write(generated, directories[0])
        except OSError as failure:
            print(f"{name}: '{failure.filename}': {failure.strerror}", file=sys.stderr)
            return 1
    return 1 if generated.errors else 0


def program(own: str) -> str:
    """The pod that belongs to this generator: beside it, whatever links lead here."""
    beside = os.path.join(os.path.dirname(os.path.realpath(own)), "pod")
    if os.access(beside, os.X_OK):
        return beside
    return "/usr/local/bin/pod" if os.access("/usr/local/bin/pod", os.X_OK) else "/usr/bin/pod"


def generate(directories: Sequence[str], own_program: Sequence[str]) -> Generated:
    """The services of all quadlets in the directories, which call pod by the words `own_program`."""
    generated = Generated()
    found = places.find(directories)
    for failure in found.failures:
        generated.errors.append(
            QuadletError(f"cannot be read: {failure.strerror}", str(failure.filename))
        )
    world = World(own_program)
    taken: dict[str, str] = {}
    for name, path in sorted(found.units.items()):
        try:
            quadlet = Quadlet(read(path, name, places.drop_ins_of(name, found)))
            if other := taken.get(quadlet.service):
                raise quadlet.error(f"'{other}' makes the service {quadlet.service}, too")
            own = _own_container(quadlet)
            if other := taken.get(own):
                why = f"'{other}' has a container named '{quadlet.resource}', too: each would replace the other's"
                said = quadlet.last("ContainerName")
                raise said.error(why) if said else quadlet.error(why)
        except QuadletError as error:
            generated.errors.append(error)
            continue
        taken[quadlet.service] = path
        if own:
            taken[own] = path
        world.quadlets[name] = quadlet
    _name_images(world)
    services = _convert(world, generated)
    _refuse_loops(world, services, generated)
    for name, service in services.items():
        quadlet = world.quadlets[name]
        if quadlet.suffix == "pod":
            from pod.quadlet import pods

            written = {f"{world.quadlets[it].service}.service" for it in services}
            pods.add_members(quadlet, service, written)
        try:
            links = _links(quadlet)
        except QuadletError as error:
            generated.errors.append(error)
            continue
        generated.services[f"{quadlet.service}.service"] = service.render()
        generated.links.update(links)
    return generated


def _own_container(quadlet: Quadlet) -> str:
    """What stands for the name of its container; "" for a template, and where systemd makes it of specifiers."""
    is_template = quadlet.at and not quadlet.instance
    is_known = quadlet.suffix == "container" and not is_template and "%" not in quadlet.resource
    return f"container {quadlet.resource}" if is_known else ""


def _name_images(world: World) -> None:
    for quadlet in world.quadlets.values():
        if quadlet.suffix == "build":
            tags = quadlet.all("ImageTag")
            quadlet.resource = tags[0].value if tags else ""
        elif quadlet.suffix == "image":
            quadlet.resource = quadlet.text("ImageTag") or quadlet.text("Image")


def _convert(world: World, generated: Generated) -> dict[str, Service]:
    """A service for each quadlet that is right, and refers to none that is wrong."""
    services: dict[str, Service] = {}
    order = ("image", "artifact", "volume", "network", "build", "pod", "container", "kube")
    for suffix in order:
        for name in [it for it, one in world.quadlets.items() if one.suffix == suffix]:
            quadlet = world.quadlets[name]
            service = Service(quadlet, world)
            try:
                _converter(quadlet)(quadlet, service)
                services[name] = service
            except QuadletError as error:
                generated.errors.append(error)
                del world.quadlets[name]
    # Those among them that name one which turned out wrong after them.
    changed = True
    while changed:
        changed = False
        for name in list(services):
            try:
                services[name].translate_dependencies()
                for other, entry in world.quadlets[name].after.items():
                    world.find(entry, other)
            except QuadletError as error:
                generated.errors.append(error)
                del world.quadlets[name], services[name]
                changed = True
    return services


def _converter(quadlet: Quadlet) -> Callable[[Quadlet, Service], None]:
    """Only the modules that are needed are loaded."""
    suffix = quadlet.suffix
    if suffix == "container":
        from pod.quadlet import container

        return container.convert
    if suffix == "pod":
        from pod.quadlet import pods

        return pods.convert
    if suffix == "kube":
        from pod.quadlet import kube

        return kube.convert
    from pod.quadlet import others

    converters: dict[str, Callable[[Quadlet, Service], None]] = {
        "volume": others.volume,
        "network": others.network,
        "image": others.image,
        "artifact": others.artifact,
        "build": others.build,
    }
    return converters[suffix]


def _refuse_loops(world: World, services: dict[str, Service], generated: Generated) -> None:
    """Take out quadlets that wait for one another."""
    waiting = {
        name: {it for it in world.quadlets[name].after if it in services} for name in services
    }
    while free := [name for name, others in waiting.items() if not others]:
        for name in free:
            del waiting[name]
        for others in waiting.values():
            others.difference_update(free)
    for name in _only_loops(waiting):
        quadlet = world.quadlets[name]
        other = min(waiting[name] & set(_only_loops(waiting)))
        entry = quadlet.after[other]
        generated.errors.append(entry.error(f"'{name}' and '{other}' wait for each other"))
        del services[name]


def _only_loops(waiting: dict[str, set[str]]) -> list[str]:
    """Without those that only wait for one in a loop: the service of such a one can be written."""
    needed = {name: others & waiting.keys() for name, others in waiting.items()}
    while True:
        wanted = {other for others in needed.values() for other in others}
        loose = [name for name in needed if name not in wanted]
        if not loose:
            return sorted(needed)
        for name in loose:
            del needed[name]


def _links(quadlet: Quadlet) -> dict[str, str]:
    """What `systemctl enable` would make of [Install]: the path of each link, and where it leads."""
    file, unit = quadlet.file, f"{quadlet.service}.service"
    found = {}
    for entry in file.all("Install", "Alias"):
        for name in entry.value.split():
            if "/" in name:
                raise entry.error(f"'{name}' is not the name of a unit")
            found[name] = unit
    shown = unit
    if quadlet.at and not quadlet.instance:
        instance = file.text("Install", "DefaultInstance")
        if not instance:
            return found
        shown = f"{quadlet.service}{instance}.service"
    for key, suffix in (
        ("WantedBy", "wants"),
        ("RequiredBy", "requires"),
        ("UpheldBy", "upholds"),
    ):
        for entry in file.all("Install", key):
            for name in entry.value.split():
                if "/" in name or "." not in name:
                    raise entry.error(f"'{name}' is not the name of a unit")
                found[f"{name}.{suffix}/{shown}"] = f"../{unit}"
    return found


def show(generated: Generated) -> None:
    for name, text in generated.services.items():
        print(f"---{name}---\n{text}")


def write(generated: Generated, directory: str) -> None:
    """Put services and links into a directory of systemd's."""
    os.makedirs(directory, exist_ok=True)
    for name, text in generated.services.items():
        path = f"{directory}/{name}"
        fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o644)
        with open(fd, "w", encoding="utf-8") as file:
            file.write(text)
    for name, target in generated.links.items():
        path = f"{directory}/{name}"
        os.makedirs(os.path.dirname(path), exist_ok=True)
        if os.path.lexists(path):
            os.unlink(path)
        os.symlink(target, path)


if __name__ == "__main__":
    main()
