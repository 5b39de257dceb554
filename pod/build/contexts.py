"""Where a build's files come from: its context as a directory, its Dockerfile as text, and what is ignored.

What is fetched or unpacked goes to a directory of its own on the store's disk, since it may be large, and run
directories are memory. It is removed when the build is over, or by the next command when that was killed. Nothing in a
context is trusted: archives are unpacked without leaving that directory, Dockerfiles and ignore files of contexts from
elsewhere are opened inside of it, so that a symbolic link does not show what is on this machine.
"""

from __future__ import annotations

import os
import stat

from pod.base import log
from pod.base.errors import UsageError
from pod.base.records import Record
from pod.build import git
from pod.build.context_archives import (
    START_BYTES,
    CannotReadContext,
    looks_like_archive,
    quoted,
    unpack,
)
from pod.build.download import downloaded
from pod.linux import inroot

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from types import TracebackType

    from pod.build.options import BuildOptions
    from storage.staging import StagedTree, Staging

NAMES = ("Containerfile", "Dockerfile")
_IGNORE_NAMES = (".containerignore", ".dockerignore")
_MOST_BYTES = 16 << 20  # of a Dockerfile; moby's limit for its parser is 16 MiB as well
_HTTP = ("http://", "https://")


class BuildContext(Record):
    """What a build works with. Paths are absolute."""

    directory: str
    """An empty directory where there is no context."""
    dockerfile: bytes
    dockerfile_name: str
    """As errors call it: the path that was typed, "Dockerfile", or "standard input"."""
    ignored: tuple[str, ...] = ()
    """The lines of the ignore file."""
    ignore_name: str = ""
    """As errors call that; "" where there is none."""
    origin: str = ""
    """The address of a context from elsewhere, with the commit of a git repository."""


class Contexts:
    """The contexts of one build, while the `with` statement lasts:

        with Contexts(options, store.staging) as contexts:
            context = contexts.main()

    `notify` is told of what is fetched.
    """

    def __init__(
        self,
        options: BuildOptions,
        staging: Staging,
        *,
        notify: Callable[[str], None] = log.info,
    ) -> None:
        self._options = options
        self._staging = staging
        self._notify = notify
        self._tree: StagedTree | None = None
        self._place = ""  # of a directory in the tree of another one
        self._count = 0

    def __enter__(self) -> Contexts:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if self._tree is not None:
            self._tree.discard()
            self._tree = None

    def main(self) -> BuildContext:
        """The context of the command line with its Dockerfile. Raises CannotReadContext, UsageError, CannotFetch."""
        options = self._options
        if "-" in options.files and (options.context == "-" or options.files.count("-") > 1):
            raise UsageError("standard input cannot be both the context and a Dockerfile")
        directory, text, origin, is_ours = self._directory()
        if text is not None:
            if options.files:
                raise UsageError("a Dockerfile on standard input as the context excludes --file")
            name = origin or "standard input"
            return BuildContext(directory, text, name, origin=origin)
        files = options.files or ("",)
        found = [self._dockerfile(directory, name, is_ours=is_ours) for name in files]
        dockerfile = b"\n".join(content.rstrip(b"\n") for content, _ in found) + b"\n"
        if len(found) == 1:
            dockerfile = found[0][0]
        name = found[0][1]
        ignored, ignore_name = self._ignored(directory, name, is_ours=is_ours)
        return BuildContext(directory, dockerfile, name, ignored, ignore_name, origin)

    def fetching(self, address: str, what: str) -> Callable[[], str]:
        """What brings, in a child, what is at an address of git or http(s) here, for --build-context. The directory."""
        inner = Contexts(self._options, self._staging)
        inner._place = self._fresh()
        self._notify(f"fetching {address}")
        return lambda: inner._directory_of(address, what)

    def _directory_of(self, address: str, what: str) -> str:
        if git.is_git(address):
            return self._clone(address, what)[0]
        path = self._fresh()
        fd, start = self._download(address)
        try:
            if not looks_like_archive(start):
                raise CannotReadContext(f"what is at '{address}' is no tar archive")
            unpack(fd, path, address)
        finally:
            os.close(fd)
        return path

    # The context itself

    def _directory(self) -> tuple[str, bytes | None, str, bool]:
        """(directory, the Dockerfile if that is all there is, its origin, whether the files are the caller's)."""
        text = self._options.context
        if not text:
            return self._without_context(), None, "", True
        if text == "-":
            _check_stdin("the context")
            directory, dockerfile = self._from_stream(0, "standard input")
            return directory, dockerfile, "", False
        if git.is_git(text):
            directory, commit = self._clone(text, "context")
            return directory, None, f"{text} ({commit})", False
        if text.startswith(_HTTP):
            fd, _ = self._download(text)
            try:
                directory, dockerfile = self._from_stream(fd, text)
            finally:
                os.close(fd)
            return directory, dockerfile, text, False
        try:
            path = os.path.abspath(text)
        except FileNotFoundError as error:
            raise CannotReadContext("the current directory is not there any more") from error
        if not os.path.isdir(path):
            exists = os.path.lexists(path)
            raise CannotReadContext(
                f"the context '{text}' {'is no directory' if exists else 'is not there'}",
                hint="pod build -f FILE DIRECTORY" if os.path.isfile(path) else None,
            )
        if not os.access(path, os.R_OK | os.X_OK):
            raise CannotReadContext(f"the context '{text}' cannot be read: Permission denied")
        return os.path.realpath(path), None, "", True

    def _without_context(self) -> str:
        """The directory of the first Dockerfile, podman-build(1), or an empty one when that is not in any."""
        files = self._options.files
        if not files:
            raise UsageError("missing context: `pod build DIRECTORY`", hint="pod build .")
        if files[0] == "-" or files[0].startswith(_HTTP):
            return self._fresh()
        return os.path.dirname(os.path.abspath(files[0]))

    def _from_stream(self, fd: int, shown: str) -> tuple[str, bytes | None]:
        """A directory with the archive, or an empty one and the Dockerfile."""
        path = self._fresh()
        start = _read_start(fd)
        if looks_like_archive(start):
            unpack(fd, path, shown, start=start)
            return path, None
        return path, _read_rest(fd, start, shown)

    def _clone(self, text: str, what: str) -> tuple[str, str]:
        source = git.parse_git(text, what)
        top = self._fresh()
        self._notify(f"fetching {text}")
        keep = self._options.arguments.get("BUILDKIT_CONTEXT_KEEP_GIT_DIR", "")
        commit = git.fetch(
            source,
            top,
            keep_history=keep.lower() in {"1", "true"},
            secrets=self._options.secrets,
        )
        return git.open_directory(top, source), commit

    def _download(self, address: str) -> tuple[int, bytes]:
        """An open file with what is at an address, and how it begins. The caller closes it."""
        self._notify(f"downloading {address}")
        path = self._fresh_path()
        fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        try:
            os.unlink(path)
            for chunk in downloaded(address, secrets=self._options.secrets):
                _write_all(fd, chunk)
            os.lseek(fd, 0, os.SEEK_SET)
            return fd, os.pread(fd, START_BYTES, 0)
        except BaseException:
            os.close(fd)
            raise

    def _fresh(self) -> str:
        path = self._fresh_path()
        os.mkdir(path, 0o700)
        return path

    def _fresh_path(self) -> str:
        if not self._place:
            self._tree = self._staging.create()
            self._place = self._tree.path
        self._count += 1
        return f"{self._place}/{self._count}"

    # Files in it

    def _dockerfile(self, directory: str, name: str, *, is_ours: bool) -> tuple[bytes, str]:
        """(content, name for people) of one -f, or of the usual names for ""."""
        if name == "-":
            _check_stdin("a Dockerfile")
            return _read_rest(0, b"", "standard input"), "standard input"
        if name.startswith(_HTTP):
            content = b""
            for chunk in downloaded(name, secrets=self._options.secrets):
                content += chunk
                _check_size(content, name)
            return content, name
        if not name:
            for usual in NAMES:
                usual_content = _read_inside(directory, usual, is_ours=is_ours)
                if usual_content is not None:
                    return usual_content, usual
            raise CannotReadContext(
                f"the context '{self._options.context or '.'}' has no file Containerfile or Dockerfile",
                hint="pod build -f FILE DIRECTORY",
            )
        if is_ours:
            # As podman: as a path first, and then below the context.
            for path in (name, os.path.join(directory, name)):
                if os.path.exists(path):
                    return _preprocessed(_read_path(path), path, self._options.cpp_flags), name
        else:
            inside = _read_inside(directory, name, is_ours=False)
            if inside is None and os.path.isfile(name):
                inside = _read_path(name)
            if inside is not None:
                return inside, name
        raise CannotReadContext(f"the Dockerfile '{name}' is not there")

    def _ignored(self, directory: str, name: str, *, is_ours: bool) -> tuple[tuple[str, ...], str]:
        given = self._options.ignore_file
        if given:
            return _lines(_read_path(given, f"--ignorefile '{given}'")), given
        if name and not name.startswith(_HTTP) and name != "standard input":
            for ending in _IGNORE_NAMES:  # of this one Dockerfile
                path = name + ending
                if is_ours:
                    for place in (path, os.path.join(directory, path)):
                        if os.path.isfile(place):
                            return _lines(_read_path(place)), path
                elif (content := _read_inside(directory, path, is_ours=False)) is not None:
                    return _lines(content), path
        for usual in _IGNORE_NAMES:
            content = _read_inside(directory, usual, is_ours=is_ours)
            if content is not None:
                return _lines(content), usual
        return (), ""


def _check_stdin(what: str) -> None:
    if os.isatty(0):
        raise UsageError(
            f"{what} is not read from a terminal", hint="redirect the input, or name a file"
        )


# Reading


def _read_inside(directory: str, name: str, *, is_ours: bool) -> bytes | None:
    """A file of the context; None when it is not there. In a context from elsewhere, links stay inside."""
    if is_ours:
        path = os.path.join(directory, name)
        return _read_path(path) if os.path.exists(path) else None
    root_fd = os.open(directory, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        try:
            fd = inroot.open_at(root_fd, name, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        except OSError as error:
            log.debug(f"'{name}' of the context: {error.strerror}")
            return None
    finally:
        os.close(root_fd)
    try:
        if not stat.S_ISREG(os.fstat(fd).st_mode):
            return None
        return _read_rest(fd, b"", name)
    finally:
        os.close(fd)


def _read_path(path: str, shown: str = "") -> bytes:
    """A file of the caller, which may be a pipe: -f <(...). `shown` is what messages call it."""
    try:
        fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        try:
            return _read_rest(fd, b"", path)
        finally:
            os.close(fd)
    except OSError as error:
        raise CannotReadContext(
            f"{shown or quoted(path)} cannot be read: {error.strerror}"
        ) from error


def _read_start(fd: int) -> bytes:
    start = b""
    while len(start) < START_BYTES and (chunk := os.read(fd, START_BYTES - len(start))):
        start += chunk
    return start


def _read_rest(fd: int, start: bytes, shown: str) -> bytes:
    parts, size = [start], len(start)
    while chunk := os.read(fd, 1 << 20):
        parts.append(chunk)
        size += len(chunk)
        if size > _MOST_BYTES:
            break
    content = b"".join(parts)
    _check_size(content, shown)
    return content


def _check_size(content: bytes, shown: str) -> None:
    if len(content) > _MOST_BYTES:
        raise CannotReadContext(f"{quoted(shown)} is too large for a Dockerfile: over 16 MiB")


def _lines(content: bytes) -> tuple[str, ...]:
    text = content.decode("utf-8", "surrogateescape").removeprefix("\ufeff")
    return tuple(line.rstrip("\r") for line in text.split("\n"))


def _write_all(fd: int, data: bytes) -> None:
    view = memoryview(data)
    while view:
        view = view[os.write(fd, view) :]


def _preprocessed(content: bytes, path: str, flags: tuple[str, ...]) -> bytes:
    """A file NAME.in as the C preprocessor leaves it (podman-build(1), --file)."""
    if not path.endswith(".in"):
        return content
    import subprocess  # heavy

    command = ["cpp", "-E", "-iquote", os.path.dirname(path) or ".", "-traditional"]
    command += ["-undef", *flags, "-"]
    try:
        done = subprocess.run(command, input=content, capture_output=True, check=False)
    except FileNotFoundError as error:
        raise CannotReadContext(
            f"'{path}' is for the C preprocessor, and the program cpp is not here",
            hint="install cpp, or name the file otherwise",
        ) from error
    if done.returncode:
        said = done.stderr.decode("utf-8", "replace").strip().splitlines()
        raise CannotReadContext(f"cpp failed on '{path}': {'; '.join(said[:3])}")
    return b"\n".join(line for line in done.stdout.split(b"\n") if not line.startswith(b"# "))
