"""Which files COPY and ADD take from a build context, a stage or an image, and what they are recognised by.

Every path is resolved as if the root of the source were "/": no "..", symbolic link or wildcard leaves it, and what the
ignore rules hide is not there. Only directories that may have something wanted are read, and only files that were
chosen are read for the hash. Source: Dockerfile reference, "COPY" and "ADD"; the hash is of what BuildKit has in its
own: kinds, names, modes, owners, contents, extended attributes and targets of links, but no times; and which names are
links to the same file, since the result differs by that.
"""

from __future__ import annotations

import errno
import os
import posixpath
import stat

from pod.base.errors import PodError
from pod.base.records import Record
from pod.build.dockerfile.errors import DockerfileError
from pod.build.dockerfile.ignore import IgnoreRules
from pod.build.dockerfile.instructions import Place
from pod.build.dockerfile.match import BadPattern, has_wildcard, name_matcher, path_matcher
from storage.blobs import small_sha256
from storage.copying import image_xattrs, without_root_id

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from typing import Any

    from pod.build.dockerfile.ignore import State

_MOST_LINKS = 40  # as the kernel, path_resolution(7)
_DIRECTORY = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_FILE = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
_CHUNK = 1 << 20
_MUCH = 1 << 19


class ClosedSource(PodError):
    """A file or directory that its mode closes to us."""


class Entry:
    """One file, directory or link. 20,000 of them are common, so this is no Record.

    `source` is its path below the root, free of links; `target` its path below the target of COPY, "" for that itself.
    """

    __slots__ = ("source", "status", "target")

    def __init__(self, source: str, target: str, status: os.stat_result) -> None:
        self.source = source
        self.target = target
        self.status = status

    def __repr__(self) -> str:
        return f"Entry({self.source!r} -> {self.target!r}, {stat.filemode(self.status.st_mode)})"


class Selection(Record):
    """What one COPY takes, each directory before what it has.

    `is_file`: it is exactly one file that was named without wildcards, for which the target may be a new name.
    """

    entries: tuple[Entry, ...]
    is_file: bool = False


class Origin(Record):
    """Where sources are looked for. `root_fd` is a directory; `name` is for messages, such as "the build context"."""

    root_fd: int
    name: str
    rules: IgnoreRules = IgnoreRules(())


class Wanted(Record):
    """The words of one COPY or ADD, expanded; addresses are not among them."""

    sources: tuple[str, ...]
    target: str
    place: Place
    parents: bool = False
    exclude: tuple[str, ...] = ()


def select(origin: Origin, wanted: Wanted) -> Selection:
    """The files that `wanted` names, below `origin`. Raises DockerfileError, and PodError for what cannot be read."""
    try:
        return _Selector(origin, wanted).select()
    except BadPattern as error:
        raise DockerfileError(wanted.place, error.message) from error
    except OSError as error:
        raise _unreadable(error.filename, origin, error) from error


def names_matching(origin: Origin, pattern: str) -> list[str]:
    """The paths below `origin` that a source means: none where it has wildcards and nothing matches."""
    place = Place(file="", first=0, last=0, lines=())
    return _Selector(origin, Wanted((pattern,), "/", place)).matches(_inside(pattern))


def content_hash(origin: Origin, selection: Selection, *, with_owners: bool) -> str:
    """A sha256 in hex of all that makes the result differ. Without owners it is as if all belonged to root.

    Raises PodError for what cannot be read.
    """
    new_hash = _hash_for(sum(entry.status.st_size for entry in selection.entries))
    total = new_hash()
    names: dict[tuple[int, int], str] = {}
    for entry in selection.entries:
        status = entry.status
        kind = stat.S_IFMT(status.st_mode)
        what = more = ""
        if kind == stat.S_IFREG:
            if status.st_nlink > 1:
                first = names.setdefault((status.st_dev, status.st_ino), entry.target)
                more = f"link to {first}" if first != entry.target else ""
            what = _file_hash(origin, entry, new_hash())
        elif kind == stat.S_IFLNK:
            what = os.readlink(entry.source, dir_fd=origin.root_fd)
        elif kind in (stat.S_IFCHR, stat.S_IFBLK):
            what = str(status.st_rdev)
        elif kind == stat.S_IFDIR and entry.target:
            what = _attributes(f"/proc/self/fd/{origin.root_fd}/{entry.source}")
        owner = f"{status.st_uid}:{status.st_gid}" if with_owners else "0:0"
        # A link has no mode of its own: what lstat(2) says of it depends on the file system. The mode of a directory
        # whose content is taken is copied nowhere.
        has_mode = entry.target and kind != stat.S_IFLNK
        mode = stat.S_IMODE(status.st_mode) if has_mode else 0
        parts = [entry.target, f"{kind:o}", f"{mode:o}", owner, what, *([more] if more else [])]
        total.update("\0".join(parts).encode(errors="surrogateescape") + b"\0\n")
    return str(total.hexdigest())


def _hash_for(size_bytes: int) -> Callable[[], Any]:
    """What makes hashes, the one that is quicker for so much."""
    if size_bytes < _MUCH:
        return small_sha256
    import hashlib  # heavy

    return hashlib.sha256


def _file_hash(origin: Origin, entry: Entry, content: Any) -> str:
    """Of content and extended attributes, with the new hash `content`."""
    try:
        fd = os.open(entry.source, _FILE, dir_fd=origin.root_fd)
        try:
            while chunk := os.read(fd, _CHUNK):
                content.update(chunk)
            return f"{content.hexdigest()}{_attributes(fd)}"
        finally:
            os.close(fd)
    except OSError as error:
        raise _unreadable(entry.source, origin, error) from error


def _unreadable(path: str, origin: Origin, error: OSError) -> PodError:
    message = f"'{path}' in {origin.name} cannot be read: {error.strerror}"
    return ClosedSource(message) if error.errno == errno.EACCES else PodError(message)


def _attributes(file: int | str) -> str:
    """The extended attributes that are copied, as a text; "" for none."""
    found = image_xattrs(file)
    if not found:
        return ""
    return "".join(f" {name}={without_root_id(found[name]).hex()}" for name in sorted(found))


class _Selector:
    def __init__(self, origin: Origin, wanted: Wanted) -> None:
        self._origin = origin
        self._wanted = wanted
        self._root_fd = origin.root_fd
        self._rules = origin.rules
        self._exclude = IgnoreRules(wanted.exclude, "--exclude")
        self._entries: dict[str, Entry] = {}  # by target: the last one wins

    def select(self) -> Selection:
        wanted = self._wanted
        is_file = False
        count = 0
        for source in wanted.sources:
            if wanted.parents:
                count += self._with_parents(source)
                continue
            pattern = _inside(source)
            literal = not has_wildcard(pattern)
            for path in self.matches(pattern):
                count += 1
                is_file = (
                    self._take(path, posixpath.basename(pattern if literal else path)) and literal
                )
            if not count and literal:
                raise self._missing(source)
        if count != 1 or len(wanted.sources) != 1:
            is_file = False
            if len(wanted.sources) > 1 or count > 1:
                self._check_target()
        return Selection(entries=tuple(self._entries.values()), is_file=is_file)

    def _check_target(self) -> None:
        target = self._wanted.target
        if not target.endswith(("/", "/.")) and target not in (".", ".."):
            raise DockerfileError(
                self._wanted.place,
                f"several sources need a directory as target, and '{target}' does not end with '/'",
                hint=f"{target}/",
            )

    def _missing(self, source: str) -> DockerfileError:
        path = _inside(source)
        hint = None
        if self._rules and self._rules.ignores(path) and _exists(self._root_fd, path):
            hint = f"{self._rules.name or 'the ignore file'} hides it"
        return DockerfileError(
            self._wanted.place, f"'{source}' is not in {self._origin.name}", hint=hint
        )

    # Names and wildcards

    def matches(self, pattern: str) -> list[str]:
        """Paths without links below the root; "" is the root itself. None where there is nothing."""
        found = [""]
        for part in pattern.split("/") if pattern else []:
            if not has_wildcard(part):
                found = [path for each in found if (path := self._resolved(each, part)) is not None]
                continue
            matches = name_matcher(part)
            found = [
                path
                for each in found
                for name in self._names(each)
                if matches(name) and (path := self._resolved(each, name)) is not None
            ]
        return [path for path in found if not self._is_hidden(path)]

    def _names(self, directory: str) -> list[str]:
        try:
            fd = os.open(directory or ".", _DIRECTORY, dir_fd=self._root_fd)
        except NotADirectoryError:
            return []
        try:
            return sorted(os.listdir(fd))
        finally:
            os.close(fd)

    def _resolved(self, directory: str, name: str) -> str | None:
        """`name` in `directory`, with links followed inside of the root; None if there is nothing."""
        done = directory.split("/") if directory else []
        todo = [name]
        links = 0
        while todo:
            part = todo.pop()
            if part in ("", "."):
                continue
            if part == "..":
                done = done[:-1]
                continue
            path = "/".join([*done, part])
            try:
                status = os.stat(path, dir_fd=self._root_fd, follow_symlinks=False)
            except (FileNotFoundError, NotADirectoryError):
                return None
            if not stat.S_ISLNK(status.st_mode):
                done.append(part)
                continue
            links += 1
            if links > _MOST_LINKS:
                raise OSError(errno.ELOOP, os.strerror(errno.ELOOP), path)
            link = os.readlink(path, dir_fd=self._root_fd)
            if link.startswith("/"):
                done = []
            todo.extend(reversed(link.split("/")))
        return "/".join(done)

    def _is_hidden(self, path: str) -> bool:
        """Whether `path` is ignored, and so is all that is below it."""
        if not path or not self._rules or not self._rules.ignores(path):
            return False
        status = os.stat(path, dir_fd=self._root_fd, follow_symlinks=False)
        return not (stat.S_ISDIR(status.st_mode) and self._rules.may_take_back_below(path))

    # What is below

    def _take(self, path: str, name: str) -> bool:
        """Take one source; whether it is a file, whose name in the target is `name`."""
        status = os.stat(path or ".", dir_fd=self._root_fd, follow_symlinks=False)
        if not stat.S_ISDIR(status.st_mode):
            if not self._is_excluded(path, name):
                self._add(Entry(path, name, status))
            return True
        self._add(Entry(path, "", status))
        for entry in self._below(path, "", lambda _: True):
            self._add(entry)
        return False

    def _is_excluded(self, path: str, name: str) -> bool:
        return bool(self._exclude) and (self._exclude.ignores(path) or self._exclude.ignores(name))

    def _add(self, entry: Entry) -> None:
        self._entries.pop(entry.target, None)
        self._entries[entry.target] = entry

    def _below(self, top: str, prefix: str, wants: Callable[[str], object]) -> Iterator[Entry]:
        """All in the directory `top` that is not ignored, with targets below `prefix`.

        Directories that are ignored themselves, or that `wants` refuses by their path, come only if something in them
        does.
        """
        # Directories that wait for something below them, and what is still to be looked at, the next one last.
        waiting: list[Entry] = []
        todo = self._children(top, prefix, self._state(top), wanted=bool(wants(top)))
        while todo:
            entry, state, taken, inherited = todo.pop()
            while waiting and not entry.source.startswith(f"{waiting[-1].source}/"):
                waiting.pop()
            is_directory = stat.S_ISDIR(entry.status.st_mode)
            wanted = inherited or bool(wants(entry.source))
            if taken and wanted:
                yield from waiting
                waiting.clear()
                yield entry
            elif is_directory:
                waiting.append(entry)
            if is_directory and (taken or self._rules.may_take_back_below(entry.source)):
                todo += self._children(entry.source, entry.target, state, wanted=wanted)

    def _children(
        self, directory: str, prefix: str, state: State, *, wanted: bool
    ) -> list[tuple[Entry, State, bool, bool]]:
        """What is in a directory, in reverse order: entry, state of the rules, whether it is taken, `wanted`."""
        fd = os.open(directory or ".", _DIRECTORY, dir_fd=self._root_fd)
        found = []
        try:
            with os.scandir(fd) as listing:
                for item in listing:
                    path = f"{directory}/{item.name}" if directory else item.name
                    target = f"{prefix}/{item.name}" if prefix else item.name
                    ignored, below = self._rules.child(path, state)
                    status = item.stat(follow_symlinks=False)
                    if stat.S_ISSOCK(status.st_mode):
                        continue  # as BuildKit: nobody listens on a copy
                    if ignored and not stat.S_ISDIR(status.st_mode):
                        continue
                    if self._is_excluded(path, target):
                        continue
                    found.append((Entry(path, target, status), below, not ignored, wanted))
        finally:
            os.close(fd)
        found.sort(key=lambda each: each[0].source, reverse=True)
        return found

    def _state(self, path: str) -> State:
        state = self._rules.root
        parts = path.split("/") if path else []
        for count in range(1, len(parts) + 1):
            _, state = self._rules.child("/".join(parts[:count]), state)
        return state

    # --parents

    def _with_parents(self, source: str) -> int:
        """Take what matches `source`, with the directories that it is in; how many things matched."""
        before, pivot, after = source.partition("/./")
        prefix = _inside(before) if pivot else ""
        pattern = _inside(after if pivot else source)
        if not pattern:
            top = self.matches(prefix)
            for path in top:
                self._take(path, "")
            return len(top)
        count = 0
        for top_path in self.matches(prefix):
            fixed = _fixed_part(pattern)
            start = self._resolved_parts(top_path, fixed)
            if start is None:
                continue
            count += self._matching(top_path, start, fixed, pattern)
        if not count and not has_wildcard(pattern):
            raise self._missing(source)
        return count

    def _resolved_parts(self, top: str, path: str) -> str | None:
        found: str | None = top
        for part in path.split("/") if path else []:
            found = self._resolved(found, part) if found is not None else None
        return found

    def _matching(self, top: str, start: str, fixed: str, pattern: str) -> int:
        """Take what is at `start`, or below it and matches; its name below `top` is `fixed`."""
        if start and self._is_hidden(start):
            return 0
        status = os.stat(start or ".", dir_fd=self._root_fd, follow_symlinks=False)
        parents = self._parents(top, fixed)
        if fixed == pattern:
            entries = [Entry(start, fixed, status)]
            if stat.S_ISDIR(status.st_mode):
                entries += self._below(start, fixed, lambda _: True)
        elif stat.S_ISDIR(status.st_mode):
            matches = path_matcher(pattern)
            length = len(start) + 1 if start else 0

            def wants(path: str) -> object:
                below = path[length:]
                return matches(f"{fixed}/{below}" if fixed else below)

            entries = list(self._below(start, fixed, wants))
            if entries and fixed:
                entries.insert(0, Entry(start, fixed, status))
        else:
            return 0
        if self._exclude:
            entries = [each for each in entries if not self._is_excluded(each.source, each.target)]
        for entry in [*parents, *entries] if entries else []:
            if entry.target not in self._entries or entry not in parents:
                self._add(entry)
        return len(entries)

    def _parents(self, top: str, fixed: str) -> list[Entry]:
        parts = fixed.split("/")[:-1]
        found = []
        for count in range(1, len(parts) + 1):
            target = "/".join(parts[:count])
            path = self._resolved_parts(top, target)
            assert path is not None
            status = os.stat(path or ".", dir_fd=self._root_fd, follow_symlinks=False)
            found.append(Entry(path, target, status))
        return found


def _inside(source: str) -> str:
    """`source` from the root, without slashes at its ends, "." and ".."; "" for the root itself."""
    return posixpath.normpath("/" + source).lstrip("/")


def _fixed_part(pattern: str) -> str:
    """The beginning of a pattern that has no wildcards."""
    parts = []
    for part in pattern.split("/"):
        if has_wildcard(part):
            break
        parts.append(part)
    return "/".join(parts)


def _exists(root_fd: int, path: str) -> bool:
    try:
        os.stat(path, dir_fd=root_fd, follow_symlinks=False)
    except OSError:
        return False
    return True
