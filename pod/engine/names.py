"""The names that exist, for the completion of shells. Reads, creates nothing, and takes no lock."""

from __future__ import annotations

import os

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pod.engine.context import Engine


_IN_DATABASE = ("container", "running", "stopped", "volume", "network", "pod")


def names(engine: Engine, kind: str) -> list[tuple[str, str]]:
    """The names of a kind, each with a few words about it.

    Kinds: "container"; "running" and "stopped" are those of the containers that are; "image"; "list" (of images);
    "artifact"; "volume"; "network"; "pod"; "registry", and "login" for those with one. There are none of any other
    kind.
    """
    if kind in ("image", "list"):
        return _images(engine, lists_only=kind == "list")
    if kind == "artifact":
        return [(it.name, it.digest[7:19]) for it in engine.store.artifacts.list()]
    if kind in ("registry", "login"):
        return _registries(engine, with_login=kind == "login")
    if kind in ("secret", "config"):
        from pod.engine import secrets

        return [(it.name, it.id) for it in secrets.store(engine, kind).all()]
    # Whoever has no database has no containers, and pressing TAB does not make one.
    if kind not in _IN_DATABASE or not os.path.exists(engine.paths.database):
        return []
    if kind == "network":
        from pod.state import networks

        return [(it.name, it.subnets[0].subnet) for it in networks.all_of(engine.database)]
    if kind == "pod":
        from pod.state import pods

        return [(pod.name, pod.id[:12]) for pod in pods.all_of(engine.database)]
    if kind == "volume":
        from pod.state import volumes

        return [(volume.name, volume.driver) for volume in volumes.all_of(engine.database)]
    return _containers(engine, kind)


def _containers(engine: Engine, kind: str) -> list[tuple[str, str]]:
    """By the rows alone: one that says "active" of a container whose monitor was killed only offers a name too many."""
    from pod.state import containers

    found = []
    for container in containers.all_of(engine.database):
        active = container.status == "active"
        if kind == "container" or active == (kind == "running"):
            found.append((container.name, container.config.image))
    return found


def _images(engine: Engine, *, lists_only: bool = False) -> list[tuple[str, str]]:
    """Images, or lists of images, by their full names and by the short ones that mean the same."""
    from pod.spec.reference import parse

    found = []
    for image in engine.store.lists.list() if lists_only else engine.store.images.list_all():
        about = image.id.partition(":")[2][:12]
        for name in image.names:
            short = parse(name).familiar()
            found += [(spelling, about) for spelling in dict.fromkeys((short, name))]
    return found


def _registries(engine: Engine, *, with_login: bool) -> list[tuple[str, str]]:
    """The names of logins that are in files, and else those that the configuration has; no helper is asked."""
    from pod.engine.images import registries
    from pod.engine.login import LoginOptions, place_of
    from pod.image.auth_file import accounts

    found = dict.fromkeys(accounts(place_of(engine, LoginOptions())), "logged in")
    if not with_login:
        config = registries(engine)
        known = [*config.search, *(rule.prefix for rule in config.rules if not rule.blocked)]
        found = {**{name: "" for name in known if "*" not in name}, **found}
    return list(found.items())
