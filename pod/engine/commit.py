"""`pod commit`: an image of what a container has become.

Its image's layers, one more with what it has changed, and how it was run.
"""

from __future__ import annotations

import errno
import json
import time

from pod.base import faults, log
from pod.base.errors import InvalidValue, PodError
from pod.base.records import Record
from pod.engine import files, images, lookup, pause
from pod.image import media_types
from pod.image.change import apply_changes
from pod.image.install import DiskFull
from pod.image.names import name_for_new_image
from pod.image.platform import host_platform
from pod.spec import reference as references
from pod.spec.bundle import INIT_PATH
from pod.spec.environment import PROXY_NAMES
from pod.spec.merge import DEFAULT_STOP_SIGNAL
from pod.state import events
from storage.images import ImageNotFound, Layer

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any

    from pod.engine.context import Engine
    from pod.spec.container import ContainerConfig
    from storage.collect import Hold
    from storage.commit import NewLayer
    from storage.images import ImageRecord

    Config = dict[str, Any]

FORMATS = ("oci", "docker")
_DOCKER_TYPES = {
    media_types.OCI_LAYER: media_types.DOCKER_LAYER,
    media_types.OCI_LAYER_GZIP: media_types.DOCKER_LAYER_GZIP,
}
_OWN_VARIABLES = {"HOSTNAME", "container", "container_uuid"}  # which every container gets anew
_MOUNT_POINTS = ("/dev", "/proc", "/sys", "/run/.containerenv", "/run/secrets", INIT_PATH)
_KINDS: dict[Any, str] = {list: "a list", dict: "an object", str: "a text"}
# What --config may set: the "config" object of an image, in docker's names, and the type of each.
_CONFIG_TYPES: dict[str, Any] = {
    "Cmd": list,
    "Entrypoint": list,
    "Env": list,
    "ExposedPorts": dict,
    "Healthcheck": dict,
    "Labels": dict,
    "OnBuild": list,
    "Shell": list,
    "StopSignal": str,
    "User": str,
    "Volumes": dict,
    "WorkingDir": str,
}


class Options(Record):
    """What the image shall be like; `changes` are Dockerfile instructions, `config` JSON that goes over the rest."""

    name: str = ""
    author: str = ""
    changes: tuple[str, ...] = ()
    config: str = ""
    format: str = "oci"
    include_volumes: bool = False
    message: str = ""
    pause: bool = False
    squash: bool = False


class Explained(Record):
    """What an image would have: (kind, path) as `diff` tells them, and sentences about what others could read."""

    changes: Sequence[tuple[str, str]]
    secrets: tuple[str, ...] = ()


class Committed(Record):
    """`id` is the digest of the configuration; `secrets` are sentences about what others could read in the image."""

    id: str
    name: str
    secrets: tuple[str, ...] = ()


def commit(engine: Engine, text: str, options: Options) -> Committed:
    """Make an image of a container, running or not. Call with a single thread.

    Raises NoSuchContainer, InvalidValue, InvalidReference, DiskFull, LayerError.
    """
    name = str(name_for_new_image(references.parse(options.name))) if options.name else None
    over = _parse_config(options.config)
    apply_changes({}, options.changes)  # what is wrong in them is said before anything is done
    with files.Held(engine, text) as held:
        container = held.container
        if container.config.rootfs:
            raise PodError(
                f"container '{container.name}' runs on the directory '{container.config.rootfs}' and has no layers",
                hint=f"pod export {container.name} | pod import - NAME",
            )
        image = _image_of(engine, held)
        if image is None and not options.squash:
            raise PodError(
                f"the image of container '{container.name}' is not here any more, and its layers with it",
                hint="--squash makes one layer of all that the container has",
            )
        config = _config_of(container.config, image, include_volumes=options.include_volumes)
        config = apply_changes({**config, **over}, options.changes)
        with engine.store.hold(image.diff_ids if image else ()) as hold:
            new = _paused_layer(engine, held, options, hold)
            secrets = _secrets(engine, held, image, config)
            made = _add(engine, held, image, new, config, options, name)
    engine.events.append(
        events.of_container(
            container, "commit", imageID=made.id, imageRef=name or made.id, comment=options.message
        )
    )
    return Committed(made.id, name or "", tuple(secrets))


def explain(engine: Engine, text: str, options: Options) -> Explained:
    """What `commit` would put into the image. Nothing is made. Call with a single thread."""
    from pod.engine import diff

    over = _parse_config(options.config)
    with files.Held(engine, text) as held:
        container = held.container
        image = _image_of(engine, held)
        config = _config_of(container.config, image, include_volumes=options.include_volumes)
        config = apply_changes({**config, **over}, options.changes)
        secrets = _secrets(engine, held, image, config)
    return Explained(diff.diff(engine, container.id, kind="container"), tuple(secrets))


def _image_of(engine: Engine, held: files.Held) -> ImageRecord | None:
    try:
        return images.with_layers(engine, engine.store.images.lookup(held.container.image_id))
    except ImageNotFound:
        return None


# The layer


def _paused_layer(engine: Engine, held: files.Held, options: Options, hold: Hold) -> NewLayer:
    """The new layer; with --pause, of a container that stands still meanwhile."""
    run = held.run
    if not options.pause or run is None or run.condition == "paused":
        return _layer(engine, held, options, hold)
    pause.pause(engine, held.container, until_we_end=True)
    faults.step("commit: paused")
    try:
        return _layer(engine, held, options, hold)
    finally:
        try:
            pause.unpause(engine, held.container)
        except (pause.NotPaused, lookup.NotRunning) as error:
            log.debug(f"--pause: {error}")  # it was unpaused or ended by somebody else


def _layer(engine: Engine, held: files.Held, options: Options, hold: Hold) -> NewLayer:
    try:
        return engine.store.commit(
            held.directory,
            exclude=_excluded(held.container.config),
            whole=options.squash,
            hold=hold.add,
        )
    except OSError as error:
        if error.errno in {errno.ENOSPC, errno.EDQUOT}:
            raise DiskFull(engine.paths.root, "the disk is full") from error
        raise


def _excluded(config: ContainerConfig) -> list[str]:
    """Mount points of what every container gets, and of files, which would be empty in the image."""
    networking = config.networking
    excluded = [*_MOUNT_POINTS, *(use.target for use in config.secrets if use.kind == "mount")]
    if networking.manage_hosts:
        excluded.append("/etc/hosts")
    if networking.manage_hostname:
        excluded.append("/etc/hostname")
    if networking.dns != ("none",):
        excluded.append("/etc/resolv.conf")
    return excluded


# The configuration


def _config_of(
    config: ContainerConfig, image: ImageRecord | None, *, include_volumes: bool
) -> Config:
    """The "config" object: the image's, with what the container was told on top (podman-commit(1))."""
    result: Config = dict((image.config().get("config") or {}) if image else {})
    values = {
        "Env": _environment(config, result.get("Env") or []),
        "Entrypoint": list(config.entrypoint or ()),
        "Cmd": list(config.command),
        "WorkingDir": config.working_directory,
        "Labels": dict(config.labels),
        "ExposedPorts": _ports(config),
    }
    if config.userns.mode != "keep-id":  # which makes the caller the user, who is nobody elsewhere
        values["User"] = config.user
    if config.stop_signal != DEFAULT_STOP_SIGNAL or result.get("StopSignal"):
        values["StopSignal"] = config.stop_signal
    if include_volumes:
        mounted: Config = {
            mount.target: {} for mount in config.mounts if mount.kind in {"bind", "volume"}
        }
        values["Volumes"] = {**(result.get("Volumes") or {}), **mounted}
    for key, value in values.items():
        if value:
            result[key] = value
        else:
            result.pop(key, None)
    return result


def _environment(config: ContainerConfig, of_image: list[str]) -> list[str]:
    """The container's variables without those that a new container gets anew: its own, and the host's proxies."""
    import os

    known = {entry.partition("=")[0] for entry in of_image}
    proxies = {spelling for name in PROXY_NAMES for spelling in (name, name.upper())}
    kept = []
    for entry in config.environment:
        name, _, value = entry.partition("=")
        if name not in known and (
            name in _OWN_VARIABLES or (name in proxies and os.environ.get(name) == value)
        ):
            continue
        kept.append(entry)
    return kept


def _ports(config: ContainerConfig) -> dict[str, dict[str, str]]:
    found: dict[str, dict[str, str]] = {}
    for mapping in (*config.networking.expose, *config.networking.ports):
        for number in range(mapping.container_port, mapping.container_port + mapping.count):
            found[f"{number}/{mapping.protocol}"] = {}
    return found


def _parse_config(text: str) -> Config:
    """What --config says. Raises InvalidValue."""
    if not text:
        return {}
    try:
        document = json.loads(text)
    except (ValueError, RecursionError):
        document = None
    if not isinstance(document, dict):
        raise InvalidValue("--config", "its file", 'a JSON object, such as {"Cmd": ["sh"]}')
    found: Config = {}
    for key, value in document.items():
        if value in (None, "", [], {}):
            continue
        expected = _CONFIG_TYPES.get(key)
        if expected is None:
            log.warning(f"--config: '{key}' is nothing of an image's and is ignored")
        elif not isinstance(value, expected):
            raise InvalidValue("--config", key, f"its value is {_KINDS[expected]}")
        else:
            found[key] = value
    return found


# The image


def _add(
    engine: Engine,
    held: files.Held,
    image: ImageRecord | None,
    new: NewLayer,
    config: Config,
    options: Options,
    name: str | None,
) -> ImageRecord:
    created = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
    entry = {"created": created, "created_by": " ".join(held.container.config.arguments)}
    for key, value in (("author", options.author), ("comment", options.message)):
        if value:
            entry[key] = value
    below = image if image is not None and not options.squash else None
    parent = image.config() if image is not None else {}
    platform = host_platform()
    document: Config = {
        "created": created,
        "architecture": parent.get("architecture") or platform.architecture,
        "os": parent.get("os") or platform.os,
        "config": config,
        "rootfs": {
            "type": "layers",
            "diff_ids": [*(below.diff_ids if below else ()), new.diff_id],
        },
        "history": [*(parent.get("history") or [] if below else []), entry],
    }
    if parent.get("variant") or (not parent and platform.variant):
        document["variant"] = parent.get("variant") or platform.variant
    author = options.author or parent.get("author")
    if author:
        document["author"] = author
    layers = [*(below.layers if below else ()), new.layer]
    types = (media_types.OCI_MANIFEST, media_types.OCI_CONFIG)
    if options.format == "docker":
        types = (media_types.DOCKER_MANIFEST, media_types.DOCKER_CONFIG)
        layers = [_in_docker_format(layer) for layer in layers]
    else:
        layers = [_in_oci_format(layer) for layer in layers]
    engine.close()
    return engine.store.images.add_image(
        json.dumps(document, separators=(",", ":")).encode(), layers, name=name, types=types
    )


def _in_docker_format(layer: Layer) -> Layer:
    kind = _DOCKER_TYPES.get(layer.media_type, layer.media_type)
    if kind not in _DOCKER_TYPES.values():
        raise PodError(
            f"a layer of the image is of type '{layer.media_type}', which docker's format does not have",
            hint="--format oci, or --squash",
        )
    return layer.replace(media_type=kind)


def _in_oci_format(layer: Layer) -> Layer:
    kinds = {docker: oci for oci, docker in _DOCKER_TYPES.items()}
    return layer.replace(media_type=kinds.get(layer.media_type, layer.media_type))


# What should not be there


def _secrets(
    engine: Engine, held: files.Held, image: ImageRecord | None, config: Config
) -> list[str]:
    """Sentences about files and variables that look like secrets and would be in the image for everybody to see."""
    from pod.spec import secrecy

    known = set((image.config().get("config") or {}).get("Env") or ()) if image else set()
    found = [
        f"the variable '{name}' is in the image with its value"
        for name, _, value in (
            entry.partition("=") for entry in config.get("Env") or () if entry not in known
        )
        if value and secrecy.is_secret_variable(name)
    ]
    engine.close()
    return found + [
        f"the file '{path}' is in the image"
        for kind, path in engine.rootfs.diff(held.directory)
        if kind != "D" and secrecy.is_secret_file(path)
    ]
