"""What --userns leaves open until the image is known: whose place the caller takes, which ids are free; entries."""

from __future__ import annotations

import os
import pwd

from pod.base.errors import Unsupported
from pod.linux import idmap
from pod.spec import users
from pod.spec.userns import SMALLEST_AUTO, UserNamespace

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any

    from pod.engine.context import Engine
    from pod.spec.container import ContainerConfig
    from storage.images import ImageRecord

_NOBODY = 65534


def settle(engine: Engine, config: ContainerConfig, image: ImageRecord | None) -> ContainerConfig:
    """The configuration with a user namespace that says everything; for --userns=user and auto.

    For "auto" the caller holds `auto_ranges.Chosen` until the container's row is there.
    """
    if config.userns.mode in {"user", "auto"} and os.geteuid() == 0:
        raise Unsupported(
            f"--userns={config.userns.mode} for root",
            "it is about the ids of an ordinary user",
            hint="run the container as one",
        )
    if config.userns.mode == "user":
        return config.replace(userns=_place_of_user(engine, config, image))
    if config.userns.mode == "auto":
        from pod.engine import auto_ranges
        from pod.spec.userns_maps import choose_range

        diff_ids = image.diff_ids if image else ()
        bases = idmap.default_maps()
        used = auto_ranges.used(engine)
        needed = 0 if config.userns.size else _ids_needed(engine, config, diff_ids)
        return config.replace(userns=choose_range(config.userns, bases, used, needed))
    return config


def _place_of_user(
    engine: Engine, config: ContainerConfig, image: ImageRecord | None
) -> UserNamespace:
    """keep-id, with the caller in the place of the user that the command runs as."""
    user = user_of(engine, config.replace(layers=tuple(image.diff_ids if image else ())))
    return UserNamespace("keep-id", uid=user.uid, gid=user.gid)


def user_of(engine: Engine, config: ContainerConfig) -> users.User:
    """Who the command runs as, by the files of the image or of --rootfs. Raises UserNotFound, GroupNotFound."""
    passwd, group = (_text_of(engine, config, config.layers, name) for name in ("passwd", "group"))
    return users.lookup(config.user, passwd, group)


def _ids_needed(engine: Engine, config: ContainerConfig, diff_ids: Sequence[str]) -> int:
    """How many ids the image needs: those of its files and of the users that it knows; "nobody" may stay nobody."""
    highest = 0
    for diff_id in diff_ids:
        for owners in engine.store.layers.owners(engine.store.layers.record(diff_id)):
            highest = max(highest, *(number for number in owners if number < _NOBODY))
    passwd, group = (_text_of(engine, config, diff_ids, name) for name in ("passwd", "group"))
    for number in users.numbers_in(passwd, group):
        if number < _NOBODY:
            highest = max(highest, number)
    user = users.lookup(config.user, passwd, group)
    return max(SMALLEST_AUTO, 1 + max(highest, user.uid, user.gid))


def _text_of(engine: Engine, config: ContainerConfig, diff_ids: Sequence[str], name: str) -> str:
    """A file of /etc as the image has it; "" when there is none."""
    if config.rootfs:
        try:
            with open(
                f"{config.rootfs}/etc/{name}", encoding="utf-8", errors="surrogateescape"
            ) as file:
                return file.read()
        except OSError:
            return ""
    return engine.rootfs.read_text(diff_ids, "/etc", name)


def caller_entry(config: ContainerConfig) -> dict[str, Any] | None:
    """Who the caller is in a container with --userns=keep-id, for lines in its passwd and group; None otherwise."""
    userns = config.userns
    if userns.mode != "keep-id" or config.passwd_entry is None:
        return None
    own_uid, own_gid = os.geteuid(), os.getegid()
    try:
        entry = pwd.getpwuid(own_uid)
        name, home = entry.pw_name, entry.pw_dir
    except KeyError:
        name, home = str(own_uid), ""
    if not any(mount.target == home for mount in config.mounts):
        home = config.working_directory or "/"
    return {
        "name": name,
        "group": _group_name(own_gid),
        "uid": own_uid if userns.uid is None else userns.uid,
        "gid": own_gid if userns.gid is None else userns.gid,
        "home": home,
    }


def _group_name(gid: int) -> str:
    import grp

    try:
        return grp.getgrgid(gid).gr_name
    except KeyError:
        return str(gid)
