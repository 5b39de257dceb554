"""Where COPY and ADD take files from: contexts, stages, images, heredocs, addresses, repositories."""

from __future__ import annotations

import os

from pod.base.errors import PodError
from pod.build import files, keys, remote
from pod.build.context_archives import START_BYTES, looks_like_archive
from pod.build.dockerfile.errors import DockerfileError
from pod.build.dockerfile.instructions import Copy
from pod.build.dockerfile.match import as_pattern, has_wildcard
from pod.build.sources import Wanted, names_matching
from pod.build.steps import copying
from pod.build.tasks import Job
from pod.linux import inroot, processes

TYPE_CHECKING = False
if TYPE_CHECKING:
    import subprocess
    from collections.abc import Generator
    from typing import Any

    from pod.build.builder import Builder
    from pod.build.dockerfile.instructions import Add
    from pod.build.files import FileSystem
    from pod.linux.processes import Child
    from storage.staging import StagedTree

    Found = tuple[list[copying.Part], list[str], str]


class Place:
    """A directory for what has to be fetched or written first; made when it is needed, gone when the context ends."""

    def __init__(self, builder: Builder) -> None:
        self._store = builder.store
        self._tree: StagedTree | None = None
        self._count = 0
        self._run_directory = builder.host.run_directory
        self._hidden: list[str] = []
        self._children: list[Child] = []
        self._programs: list[subprocess.Popen[bytes]] = []

    def __enter__(self) -> Place:
        return self

    def __exit__(self, *_: object) -> None:
        for child in self._children:
            child.kill()
        for program in self._programs:
            program.kill()
            program.wait()
        for path in self._hidden:
            if os.path.lexists(path):
                os.unlink(path)
        if self._tree is not None:
            self._tree.discard()

    def directory(self) -> str:
        """A new, empty one."""
        if self._tree is None:
            self._tree = self._store.staging.create()
        self._count += 1
        path = f"{self._tree.path}/{self._count}"
        os.mkdir(path, 0o755)
        return path

    def hidden_file(self) -> str:
        """The path for a new file that must not be on a disk; it is removed."""
        path = f"{self._run_directory}/{os.urandom(8).hex()}"
        self._hidden.append(path)
        return path

    def add_process(self, child: Child) -> None:
        """A child that is ended."""
        self._children.append(child)

    def add_program(self, program: subprocess.Popen[bytes]) -> None:
        """A program that is ended."""
        self._programs.append(program)


def find(
    builder: Builder, place: Place, instruction: Copy | Add, target: str
) -> Generator[Any, Any, Found]:
    """What is copied, the content of it as texts, and the word for it in the history: "file", "dir" or "multi"."""
    if isinstance(instruction, Copy) and instruction.from_:
        wanted = _wanted(instruction, instruction.sources)
        part, _ = yield from part_of(builder, instruction.from_, wanted)
        digest, is_file = yield from describe(builder, place, part)
        return [part], [digest], "file" if is_file else "dir"
    if len(instruction.sources) > 1 and not target.endswith("/"):
        raise DockerfileError(
            instruction.place,
            f"several sources need a directory as target, and '{instruction.target}' does not end with '/'",
            hint=f"{instruction.target}/",
        )
    parts: list[copying.Part] = []
    contents: list[str] = []
    plain: list[str] = []
    is_file = False
    heredocs = {f"<<{it.name}" for it in instruction.heredocs}
    for source in instruction.sources:
        if instruction.heredocs and (source in heredocs or source.startswith("<<")):
            continue
        if not isinstance(instruction, Copy) and remote.is_remote(source):
            part, content = yield from _fetched(builder, place, instruction, source, target)
            parts.append(part)
            contents.append(content)
        else:
            plain.append(source)
    if instruction.heredocs:
        parts.append(_written(place, instruction))
        contents.append(copying.describe(parts[-1])[0])
    if plain:
        part = _of_context(builder, _wanted(instruction, tuple(plain)))
        if isinstance(instruction, Copy):
            digest, is_file = builder.describe(part)
            parts.append(part)
            contents.append(digest)
        else:
            for piece in _unpacked(builder, instruction, part):
                digest, is_file = builder.describe(piece)
                parts.append(piece)
                contents.append(f"{digest} {'archive' if piece.archive else ''}")
    if len(instruction.sources) > 1:
        return parts, contents, "multi"
    return parts, contents, "file" if is_file or not plain else "dir"


def _wanted(
    instruction: Copy | Add, sources: tuple[str, ...], *, target: str | None = None
) -> Wanted:
    return Wanted(
        sources=sources,
        target=instruction.target if target is None else target,
        place=instruction.place,
        parents=getattr(instruction, "parents", False),
        exclude=instruction.exclude,
    )


# --from


def part_of(
    builder: Builder, name: str, wanted: Wanted
) -> Generator[Any, Any, tuple[copying.Part, FileSystem | None]]:
    """What `--from=NAME` or `from=NAME` means, "" for the context; with the file system of a stage or an image."""
    if not name:
        return _of_context(builder, wanted), None
    source = builder.plan.stages.source(name, wanted.place)
    if source.context:
        directory = yield from builder.context_directory(source.context)
        if directory:
            shown = f"the build context '{name}'"
            return copying.Part(name=shown, wanted=wanted, root=directory), None
    system = yield from builder.files_of(source)
    what = "stage" if source.stage is not None else "image"
    part = copying.Part(
        name=f"the {what} '{name}'",
        wanted=wanted,
        lowers=tuple(files.lowers(builder.store, system)),
        keeps_owners=True,
        identity=system.key,
        driver=builder.store.rootfs.driver().name,
    )
    return part, system


def _of_context(builder: Builder, wanted: Wanted) -> copying.Part:
    return copying.Part(
        name="the build context",
        wanted=wanted,
        root=builder.context.directory,
        rules=builder.rules,
    )


def describe(
    builder: Builder, place: Place, part: copying.Part
) -> Generator[Any, Any, tuple[str, bool]]:
    """The hash of files of a stage or image, for which it is mounted; remembered, since both hardly ever change."""
    if not part.lowers:
        return builder.describe(part)
    inputs = {
        "files": part.identity,
        "sources": keys.digest("\0".join([*part.wanted.sources, "", *part.wanted.exclude])),
        "parents": str(part.wanted.parents),
    }
    key = keys.of("content", inputs)
    known = builder.cache.recall(key)
    if known:
        digest, _, kind = known.partition(" ")
        return digest, kind == "file"
    mount_point = place.directory()

    def work() -> tuple[str, bool]:
        return copying.describe(part, mount_point)

    digest, is_file = yield lambda: Job(builder.nest.start(work, what="read files of a stage"))
    builder.cache.remember(key, f"{digest} {'file' if is_file else 'dir'}")
    return digest, is_file


# What has to be made first


def _written(place: Place, instruction: Copy | Add) -> copying.Part:
    """Heredocs, as files."""
    directory = place.directory()
    names = []
    for heredoc in instruction.heredocs:
        path = f"{directory}/{heredoc.name}"
        with open(path, "w", encoding="utf-8", errors="surrogateescape") as file:
            os.fchmod(file.fileno(), 0o644)
            file.write(heredoc.text)
        names.append(heredoc.name)
    return copying.Part(
        name="the heredocs", wanted=_wanted(instruction, tuple(names)), root=directory
    )


def _fetched(
    builder: Builder, place: Place, instruction: Add, source: str, target: str
) -> Generator[Any, Any, tuple[copying.Part, str]]:
    """What is at an address of http(s) or git. Other stages go on meanwhile."""
    directory = place.directory()
    builder.progress.message(f"fetching {source}")
    request = remote.Request(
        source=source,
        target=target,
        place=instruction.place,
        checksum=instruction.checksum,
        keep_git_dir=instruction.keep_git_dir,
    )
    remote.check(request)

    def work() -> dict[str, Any]:
        return remote.fetch(request, directory, builder.options.secrets).to_json()

    try:
        fetched = yield lambda: Job(processes.fork(work, what=f"fetch '{source}'"))
    except PodError as error:
        raise DockerfileError(instruction.place, error.message, hint=error.hint) from error
    got = remote.Remote.from_json(fetched)
    path = os.path.join(directory, got.path)
    if got.is_directory:
        part = copying.Part(name=f"'{source}'", wanted=_wanted(instruction, (".",)), root=path)
        return part, copying.describe(part)[0]
    part = copying.Part(
        name=f"'{source}'", wanted=_wanted(instruction, (as_pattern(got.path),)), root=directory
    )
    if instruction.unpack:
        part = part.replace(archive=path, wanted=_wanted(instruction, (".",)))
    return part, f"{got.identity} {got.path if target.endswith('/') else ''} {instruction.unpack}"


def _unpacked(builder: Builder, instruction: Add, part: copying.Part) -> list[copying.Part]:
    """The part of files and directories, and one for each archive that ADD unpacks."""
    if instruction.unpack is False:
        return [part]
    archives = {}
    others: tuple[str, ...] = ()
    with copying.Opened(part, "") as origin:
        for source in part.wanted.sources:
            wildcards = has_wildcard(source)
            for found_path in names_matching(origin, source) if wildcards else [source]:
                path = _archive(builder, found_path)
                name = as_pattern(found_path) if wildcards else source
                if path:
                    archives[name] = path
                else:
                    others += (name,)
    found = [
        part.replace(wanted=_wanted(instruction, (source,)), archive=path)
        for source, path in archives.items()
    ]
    if others:
        found.insert(0, part.replace(wanted=_wanted(instruction, others)))
    return found


def _archive(builder: Builder, source: str) -> str:
    """The path of a file of the context that is an archive; "" for everything else."""
    import stat

    root_fd = os.open(builder.context.directory, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        fd = inroot.open_at(root_fd, source, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError:
        return ""
    finally:
        os.close(root_fd)
    try:
        if not stat.S_ISREG(os.fstat(fd).st_mode):
            return ""
        start = os.read(fd, START_BYTES)
        return os.readlink(f"/proc/self/fd/{fd}") if looks_like_archive(start) else ""
    finally:
        os.close(fd)
