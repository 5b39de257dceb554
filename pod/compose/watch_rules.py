"""`develop.watch` of services: which paths are watched, which of them matter, and what follows from a change."""

from __future__ import annotations

import os

from pod.base.records import Record
from pod.compose.errors import FileError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import Any

    from pod.build.dockerfile.ignore import IgnoreRules
    from pod.compose.project import Project

_EDITORS = ("**/.git", "**/.idea", "**/*~", "**/.*.sw?", "**/.*.sw??", "**/4913", "**/.#*", "**/#*#",
            "**/*___jb_tmp___", "**/*___jb_old___", "**/.goutputstream-*")  # fmt: skip
"""What editors and git write beside the files; 4913 is a file by which vim finds out whether it can write."""


class Rule(Record):
    """One entry of `watch`. `ignored` are about paths from `path` on, `left_out` about those of the build context."""

    service: str
    index: int
    path: str
    action: str
    target: str
    ignored: IgnoreRules
    included: IgnoreRules | None
    context: str
    left_out: IgnoreRules | None
    initial: bool
    hook: Any

    @property
    def syncs(self) -> bool:
        return self.action.startswith("sync")

    def skips(self, path: str) -> bool:
        """Whether nothing that happens to a path is of interest, nor to what is below it."""
        inside = _below(path, self.path)
        if inside and self.ignored.ignores(inside):
            return not self.ignored.may_take_back_below(inside)
        if self.left_out is not None and (inside := _below(path, self.context)):
            return self.left_out.ignores(inside) and not self.left_out.may_take_back_below(inside)
        return False

    def matters(self, path: str) -> bool:
        """Whether a change of this very path has the action done."""
        inside = _below(path, self.path)
        if inside is None:
            return False
        if inside and self.ignored.ignores(inside):
            return False
        if inside and self.included is not None and not self.included.ignores(inside):
            return False
        below = None if self.left_out is None else _below(path, self.context)
        return not (below and self.left_out is not None and self.left_out.ignores(below))

    def target_of(self, path: str) -> str:
        """Where a path of this machine is in the container."""
        inside = _below(path, self.path)
        if inside:
            return f"{self.target.rstrip('/')}/{inside}"
        if self.target.endswith("/") and not os.path.isdir(path):
            return f"{self.target}{os.path.basename(path)}"
        return self.target


def rules_of(project: Project, services: Iterable[str]) -> list[Rule]:
    """The rules of these services. Raises FileError."""
    found = []
    for name in services:
        entries = (project.service(name).get("develop") or {}).get("watch") or ()
        for index, entry in enumerate(entries):
            found.append(_rule(project, name, index, entry))
    return found


def _rule(project: Project, name: str, index: int, entry: Any) -> Rule:
    service = project.service(name)
    action, path = str(entry["action"]), os.path.normpath(entry["path"])

    def wrong(key: str, sentence: str, hint: str | None = None) -> FileError:
        where = ("services", name, "develop", "watch", index, key)
        return FileError(entry.place_of(key), where, sentence, hint)

    if not os.path.lexists(path):
        raise wrong("path", f"there is no '{path}' to watch")
    if path == "/":
        raise wrong("path", "the whole machine cannot be watched")
    target = str(entry.get("target", ""))
    if action.startswith("sync") and not target:
        raise wrong("action", f"{action} needs to know where the files go", "target: /DIRECTORY")
    if target and not target.startswith("/"):
        raise wrong("target", f"'{target}' is not an absolute path")
    if action == "sync+exec" and not entry.get("exec"):
        raise wrong("action", "sync+exec needs a command", "exec: {command: [PROGRAM, ARGUMENT]}")
    if action == "rebuild" and service.get("build") is None:
        raise wrong("action", "the service has no 'build' by which it could be made again")
    context, left_out = _left_out(service)
    return Rule(
        service=name,
        index=index,
        path=path,
        action=action,
        target=target,
        ignored=_patterns(entry, "ignore", wrong, _EDITORS),
        included=_patterns(entry, "include", wrong) if entry.get("include") else None,
        context=context,
        left_out=left_out,
        initial=entry.get("initial_sync") in {True, "true"},
        hook=entry.get("exec"),
    )


def _patterns(entry: Any, key: str, wrong: Any, more: Iterable[str] = ()) -> IgnoreRules:
    from pod.base.errors import PodError
    from pod.build.dockerfile.ignore import IgnoreRules

    given = entry.get(key) or ()
    # A name without a slash is one at any depth, as the specification's examples have it ("node_modules/", "*.tmp").
    texts = []
    for text in given:
        plain = text.removeprefix("!").rstrip("/")
        is_name = "/" not in plain
        texts.append(("!" if text.startswith("!") else "") + (f"**/{plain}" if is_name else plain))
    try:
        return IgnoreRules([*more, *texts])
    except PodError as error:
        raise wrong(key, error.message) from error


def _left_out(service: Any) -> tuple[str, IgnoreRules | None]:
    """The directory that the image is built from, and what is left out there."""
    from pod.build.dockerfile.ignore import IgnoreRules

    build = service.get("build") or {}
    context = str(build.get("context", ""))
    if not os.path.isabs(context):
        return "", None
    for name in (".containerignore", ".dockerignore"):
        try:
            with open(os.path.join(context, name), "rb") as file:
                return os.path.normpath(context), IgnoreRules.parse(file.read(), name)
        except OSError:
            continue
    return "", None


def _below(path: str, directory: str) -> str | None:
    """A path from a directory on: "" for itself, None for one elsewhere."""
    if path == directory:
        return ""
    return path[len(directory) + 1 :] if path.startswith(f"{directory}/") else None
