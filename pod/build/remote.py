"""Sources of ADD that are elsewhere: http(s) addresses and git repositories, fetched into a directory of the builder.

Source: Dockerfile reference, "Adding files from a URL", "Adding files from a Git repository", "ADD --checksum".
"""

from __future__ import annotations

import os

from pod.base.errors import PodError
from pod.base.records import Record
from pod.build.dockerfile.errors import DockerfileError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

    from pod.build.dockerfile.instructions import Place
    from pod.build.options import SecretSource

_ALGORITHM = "sha256:"


class AnotherContent(PodError):
    """What is at an address is not what --checksum says."""


class Remote(Record):
    """What one address became: `path` below the directory it was fetched to, "" for all of that.

    `identity` is what the cache knows it by: what was fetched, not where from.
    """

    path: str
    identity: str
    is_directory: bool


class Request(Record):
    """One source of an ADD. `target` is that of the instruction, `checksum` as it was typed, "" for none."""

    source: str
    target: str
    place: Place
    checksum: str = ""
    keep_git_dir: bool = False


def is_remote(source: str) -> bool:
    """Whether a source of ADD is an address."""
    from pod.build.git import is_git

    return source.startswith(("http://", "https://")) or (
        is_git(source) and not source.startswith("github.com/")
    )


def check(request: Request) -> None:
    """What can be said without fetching anything. Raises DockerfileError."""
    from pod.build.git import is_git

    checksum = request.checksum
    if is_git(request.source):
        if checksum and (checksum.strip("0123456789abcdef") or len(checksum) > 64):
            raise DockerfileError(
                request.place,
                f"--checksum of a git repository is the beginning of a commit, and '{checksum}' is none",
            )
        return
    digits = checksum.removeprefix(_ALGORITHM)
    if checksum and (digits == checksum or len(digits) != 64 or digits.strip("0123456789abcdef")):
        raise DockerfileError(
            request.place, f"--checksum is sha256: and 64 hexadecimal digits, not '{checksum}'"
        )
    if not _name_of(request.source) and request.target.endswith("/"):
        raise DockerfileError(
            request.place,
            f"the address '{request.source}' has no name for a file in '{request.target}'",
            hint="a target that does not end with '/' is the name",
        )


def fetch(request: Request, directory: str, secrets: Iterable[SecretSource] = ()) -> Remote:
    """Bring it into the empty `directory`, after `check`. Raises AnotherContent, and what it is fetched with raises."""
    from pod.build.git import is_git

    if is_git(request.source):
        return _fetch_repository(request, directory, secrets)
    return _fetch_file(request, directory, secrets)


def _fetch_file(request: Request, directory: str, secrets: Iterable[SecretSource]) -> Remote:
    from pod.build.download import download_to

    name = _name_of(request.source) or os.path.basename(request.target) or "download"
    path = os.path.join(directory, name)
    fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    try:
        got = download_to(fd, request.source, secrets)
        os.fchmod(fd, 0o600)
    finally:
        os.close(fd)
    if request.checksum and request.checksum != _ALGORITHM + got.sha256:
        raise AnotherContent(
            f"what is at '{request.source}' has the checksum {_ALGORITHM}{got.sha256}, and"
            f" {request.checksum} was asked for"
        )
    os.utime(path, (got.modified_seconds, got.modified_seconds))
    return Remote(path=name, identity=_ALGORITHM + got.sha256, is_directory=False)


def _fetch_repository(request: Request, directory: str, secrets: Iterable[SecretSource]) -> Remote:
    from pod.build import git

    reference = git.parse_git(request.source, "ADD")
    commit = git.fetch(reference, directory, keep_history=request.keep_git_dir, secrets=secrets)
    if not commit.startswith(request.checksum):
        raise AnotherContent(
            f"'{request.source}' is at the commit {commit}, and {request.checksum} was asked for"
        )
    top = git.open_directory(directory, reference)
    path = os.path.relpath(top, os.path.realpath(directory))
    path = "" if path == "." else path
    identity = f"git:{commit}:{path}{':with-history' * request.keep_git_dir}"
    return Remote(path=path, identity=identity, is_directory=True)


def _name_of(address: str) -> str:
    """The last part of the path of an http(s) address, or ""."""
    from urllib.parse import unquote, urlsplit  # heavy

    try:
        path = urlsplit(address).path
    except ValueError:
        return ""
    name = unquote(path.rpartition("/")[2])
    return "" if name in (".", "..") or "/" in name or "\0" in name else name
