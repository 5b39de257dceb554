"""What is mounted into a container: -v, --tmpfs, --volumes-from and image volumes; `mount_option.py` has --mount.

A `Mount` says what was asked for. Sources are as typed: nothing here looks at the file system, so a relative source is
made absolute, a volume is created and a glob is expanded by those who create the container. Where the rules come from:
podman-run(1), "--volume", "--mount", "--tmpfs", "--volumes-from"; docker's reference of the same options.
"""

from __future__ import annotations

from pod.base.errors import InvalidValue, UsageError
from pod.base.records import Record
from pod.spec.mount_words import (
    Words,
    check_volume_name,
    clean_source,
    clean_target,
    idmap_refused,
    take_tmpfs_word,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

KINDS = ("bind", "volume", "tmpfs", "ramfs", "image", "devpts", "glob")


class Mount(Record):
    """One mount. `source` is a path, a volume name ("": an anonymous volume), an image or a glob, by `kind`.

    `options` are words for mount(2): the flags nosuid, nodev, noexec, and data such as "size=65536". `origin` is the
    option as it was typed, for messages.
    """

    kind: str
    target: str
    source: str = ""
    read_only: bool = False
    options: tuple[str, ...] = ()
    propagation: str = "rprivate"  # of a bind mount or glob
    recursive: bool = True  # take the mounts below the source along
    recursive_read_only: bool = True  # with read_only: those too
    relabel: str = ""  # "shared" (z) or "private" (Z)
    chown: bool = False  # U: give the source to the container's user
    copy: bool = True  # fill a new volume, or a tmpfs, with what the image has at the target
    overlay: bool = False  # O: writes go to an upper layer and are dropped with the container
    overlay_upper: str = ""  # the caller's own directories for that, both or none
    overlay_work: str = ""
    subpath: str = ""  # of the volume or image
    dereference: bool = True  # a source that is a symbolic link is followed
    origin: str = ""


class VolumesFrom(Record):
    """Take over the volumes of another container; None keeps the mode that a volume has there."""

    container: str
    read_only: bool | None = None
    relabel: str = ""


class MountConflict(UsageError):
    """Two mounts want the same place."""

    def __init__(self, target: str, first: str, second: str) -> None:
        super().__init__(f"two mounts have the destination '{target}': '{first}' and '{second}'")


def parse_volume(text: str) -> Mount:
    """`-v [SOURCE:]TARGET[:OPTIONS]`; a source that begins with / or . is a path, any other a volume's name."""
    option = "--volume"
    fields = text.split(":")
    if len(fields) > 3:
        raise InvalidValue(
            option, text, "[SOURCE:]TARGET[:OPTIONS]; use --mount for a path with a colon"
        )
    source = fields[0] if len(fields) > 1 else ""
    mount = Mount(
        "bind" if source[:1] in {"/", "."} else "volume",
        clean_target(option, text, fields[1] if len(fields) > 1 else text),
        options=("nosuid", "nodev"),
        origin=f"{option} {text}",
    )
    if len(fields) == 1:
        return mount
    if not source:
        raise InvalidValue(option, text, "the source before the colon is empty")
    if mount.kind == "bind":
        source = clean_source(option, text, source)
    else:
        check_volume_name(option, text, source)
    words = fields[2].split(",") if len(fields) == 3 else []
    return _with_volume_words(option, text, words, mount.replace(source=source))


def _with_volume_words(option: str, text: str, given: list[str], mount: Mount) -> Mount:
    words = Words(option, text)
    own = {"upperdir": "", "workdir": ""}
    overlay = False
    for word in given:
        name, _, value = word.partition("=")
        if word == "O":
            overlay = True
        elif name in own:
            if not value.startswith("/"):
                raise InvalidValue(option, text, f"{name} is an absolute path")
            own[name] = clean_source(option, text, value)
        elif name == "idmap":
            raise idmap_refused(f"{option} option 'idmap'")
        elif not words.take_volume_word(word):
            raise InvalidValue(option, text, f"'{word}' is not an option of a volume")
    if any(own.values()) and not (overlay and all(own.values())):
        raise InvalidValue(option, text, "upperdir and workdir are given together, and with O")
    if overlay and words.chosen.keys() - {"z"}:
        raise InvalidValue(
            option, text, "O goes with no other option but U, z, Z, upperdir and workdir"
        )
    if words.propagation and mount.kind != "bind":
        raise InvalidValue(
            option, text, "mount propagation is for directories of the host, not for volumes"
        )
    return mount.replace(
        read_only=words.read_only,
        options=words.flags("nosuid", "nodev"),
        propagation=words.propagation or "rprivate",
        recursive=words.recursive,
        relabel=words.relabel,
        chown=words.chown,
        copy=words.copy,
        overlay=overlay,
        overlay_upper=own["upperdir"],
        overlay_work=own["workdir"],
    )


def parse_tmpfs(text: str) -> Mount:
    """`--tmpfs TARGET[:OPTIONS]`, the options being those of tmpfs(5) and mount(8)."""
    option = "--tmpfs"
    target, _, rest = text.partition(":")
    words = Words(option, text)
    for word in rest.split(",") if rest else []:
        if not (words.take_flag(word) or take_tmpfs_word(words, word)):
            raise InvalidValue(option, text, f"'{word}' is not an option of tmpfs")
    return Mount(
        "tmpfs",
        clean_target(option, text, target),
        read_only=words.read_only,
        options=words.flags("nosuid", "nodev", "noexec") + tuple(words.data),
        chown=words.chown,
        copy=words.copy,
        origin=f"{option} {text}",
    )


def parse_volumes_from(text: str) -> VolumesFrom:
    """`--volumes-from CONTAINER[:OPTIONS]`, the options being ro, rw and z."""
    option = "--volumes-from"
    container, colon, rest = text.partition(":")
    if not container:
        raise InvalidValue(option, text, "CONTAINER[:ro|rw|z], a name or id")
    words = Words(option, text)
    for word in rest.split(",") if colon else []:
        if word not in {"ro", "rw", "z"} or not (words.take_flag(word) or words.take_label(word)):
            raise InvalidValue(option, text, f"'{word}' is none of ro, rw and z")
    is_given = "ro" in words.chosen
    return VolumesFrom(container, words.read_only if is_given else None, words.relabel)


def parse_image_volume_mode(text: str) -> str:
    """`--image-volume`: what becomes of the volumes that an image declares; docker has only anonymous ones."""
    if text in {"", "bind", "anonymous"}:
        return "bind"
    if text in {"tmpfs", "ignore"}:
        return text
    raise InvalidValue("--image-volume", text, "bind (or anonymous), tmpfs or ignore")


def image_volumes(targets: Iterable[str], mode: str) -> tuple[Mount, ...]:
    """Mounts for the `Volumes` of an image config; `mode` is from parse_image_volume_mode."""
    if mode == "ignore":
        return ()
    mounts = []
    for text in sorted(targets):
        target = clean_target("VOLUME", text, text)
        kind = "volume" if mode == "bind" else "tmpfs"
        flags = ("nosuid", "nodev") if kind == "volume" else ("nosuid", "nodev", "noexec")
        mounts.append(Mount(kind, target, options=flags, origin=f"VOLUME {text} of the image"))
    return tuple(mounts)


def check_conflicts(mounts: Iterable[Mount]) -> None:
    """Raise MountConflict when two of the mounts have the same target."""
    taken: dict[str, Mount] = {}
    for mount in mounts:
        if not mount.target or mount.kind == "glob":
            continue  # whatever a glob finds has its own target, known when it is expanded
        if (other := taken.setdefault(mount.target, mount)) is not mount:
            raise MountConflict(
                mount.target, other.origin or other.kind, mount.origin or mount.kind
            )


def merge(asked: Iterable[Mount], *weaker: Iterable[Mount]) -> tuple[Mount, ...]:
    """The mounts that were asked for, and those of each weaker list in turn whose target is still free.

    The order of strength is the command line, --volumes-from, the configuration, the image. Raises MountConflict for a
    target that was asked for twice. The result is in mount order: a directory before what is mounted below it.
    """
    asked = tuple(asked)
    check_conflicts(asked)
    merged = {(mount.target or mount.source): mount for mount in asked}
    for mounts in weaker:
        for mount in mounts:
            merged.setdefault(mount.target or mount.source, mount)
    return tuple(sorted(merged.values(), key=lambda mount: mount.target.split("/")))


def bind_text(mount: Mount) -> str:
    """A bind mount or volume as `inspect` shows it under HostConfig.Binds: 'SOURCE:TARGET:OPTIONS'."""
    words = ["ro" if mount.read_only else "rw"]
    if mount.kind == "bind":
        words += [mount.propagation, "rbind" if mount.recursive else "bind"]
    return f"{mount.source}:{mount.target}:{','.join([*words, *mount.options])}"
