"""A build context, or the source of an ADD, that is in a git repository.

The address comes from a command line or a Dockerfile, and the content from strangers: git may use the network only,
runs no hook, and gets nothing from us that it could take for an option.
"""

from __future__ import annotations

import os
import stat

from pod.base import log
from pod.base.errors import InvalidValue, PodError
from pod.base.records import Record
from pod.build import credentials
from pod.linux import inroot

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from pod.build.options import SecretSource

_PROTOCOLS = ("git", "http", "https", "ssh")
_ADDRESS_GRAMMAR = (
    "a git repository is git@HOST:PATH, or an address that begins with git://, ssh://, or https:// and ends in .git, "
    "each with #REFERENCE[:DIRECTORY] behind it where that is wanted"
)
# Settings of git that somebody's repository must not benefit from.
_SETTINGS = (
    "core.hooksPath=/dev/null",
    "core.fsmonitor=false",
    "protocol.allow=never",
    *(f"protocol.{name}.allow=always" for name in _PROTOCOLS),
    "fetch.fsckObjects=true",
    "fetch.fsck.zeroPaddedFilemode=ignore",  # which old repositories have
    "fetch.fsck.missingSpaceBeforeDate=ignore",
    "advice.detachedHead=false",
    "gc.auto=0",
)


class GitReference(Record):
    """A repository, what of its history, and which of its directories."""

    url: str
    reference: str = ""
    """A branch, tag or commit; "" for what the repository's HEAD is."""
    directory: str = ""
    """Below the top of the repository; "" for all."""


class CannotFetch(PodError):
    """git could not bring what was asked for."""


def is_git(text: str) -> bool:
    """Whether a context or a source of ADD means a git repository: moby's rule, docs "Git repositories"."""
    address = text.partition("#")[0].partition("?")[0]
    if text.startswith(("git://", "ssh://", "github.com/")) or _is_scp(address):
        return True
    return text.startswith(("http://", "https://")) and address.endswith(".git")


def parse_git(text: str, what: str = "context") -> GitReference:
    """URL[#REFERENCE[:DIRECTORY]] or URL?ref=REFERENCE&subdir=DIRECTORY. Raises InvalidValue."""
    address, has_fragment, fragment = text.partition("#")
    reference, _, directory = fragment.partition(":")
    address, has_query, query = address.partition("?")
    if has_query:
        if has_fragment:
            raise InvalidValue(what, text, "either ?ref=... or #..., not both")
        reference, directory = _read_query(query, text, what)
    if address.startswith("github.com/"):
        address = f"https://{address}"
    scheme, has_scheme, rest = address.partition("://")
    if has_scheme:
        host = rest.partition("/")[0].rpartition("@")[2]
        valid = scheme in _PROTOCOLS and host and "/" in rest
    else:
        valid = _is_scp(address)
        host = address.partition(":")[0].rpartition("@")[2]
    if not valid or host.startswith("-") or rest.startswith("-") or not _is_plain(address):
        raise InvalidValue(what, text, _ADDRESS_GRAMMAR)
    if reference.startswith("-") or not _is_plain(reference):
        raise InvalidValue(what, text, "the reference is a branch, a tag or a commit")
    if ".." in directory.split("/") or "\0" in directory:
        raise InvalidValue(what, text, "the directory is inside the repository")
    return GitReference(address, reference, directory.strip("/"))


def fetch(
    source: GitReference,
    target: str,
    *,
    keep_history: bool = False,
    secrets: Iterable[SecretSource] = (),
) -> str:
    """Check the reference out into the empty directory `target`; the full id of the commit.

    `keep_history` leaves the directory .git, with that one commit. Submodules come, too. `secrets` may have some that
    log in (credentials.py). Raises CannotFetch.
    """
    login = _login(source, secrets)
    _git(target, "init", "--quiet", ".")
    checked_out = _fetch_commit(target, source, login)
    _git(target, "checkout", "--quiet", "--force", "--detach", checked_out, "--")
    commit = _git(target, "rev-parse", "--verify", "HEAD").strip()
    if os.path.lexists(os.path.join(target, ".gitmodules")):
        # Relative addresses of submodules are relative to this one.
        _git(target, "config", "remote.origin.url", source.url)
        update = ("submodule", "--quiet", "update", "--init", "--recursive")
        try:
            _git(target, *update, "--depth=1", login=login)
        except CannotFetch:
            _git(target, *update, login=login)
    if not keep_history:
        _forget_history(target)
    _usual_modes(target)
    return commit


def _fetch_commit(target: str, source: GitReference, login: Mapping[str, str]) -> str:
    """Bring what was asked for, with as little of the history as the server can give; what to check out."""
    wanted = source.reference or "HEAD"
    from pod.image.proxies import without_password

    for depth in (("--depth=1",), ()):  # a server of plain files knows no depth
        try:
            _git(target, "fetch", "--quiet", *depth, "--", source.url, wanted, login=login)
        except CannotFetch as error:
            failure = CannotFetch(f"'{without_password(source.url)}': {error.message}")
            continue
        return "FETCH_HEAD"
    if not _may_be_commit(wanted):
        raise failure
    # An abbreviated commit, or a server that gives no single ones: all of the history has it.
    everything = ("--tags", "--", source.url, "+refs/*:refs/remotes/origin/*")
    _git(target, "fetch", "--quiet", *everything, login=login)
    return wanted


def open_directory(top: str, source: GitReference) -> str:
    """The absolute path of the directory that was asked for, which is inside `top` whatever links are in there.

    Raises CannotFetch.
    """
    if not source.directory:
        return top
    top_fd = os.open(top, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        fd = inroot.open_path(top_fd, source.directory)
        try:
            if stat.S_ISDIR(os.fstat(fd).st_mode):
                return os.readlink(f"/proc/self/fd/{fd}")
        finally:
            os.close(fd)
    except OSError as error:
        log.debug(f"'{source.directory}': {error.strerror}")
    finally:
        os.close(top_fd)
    raise CannotFetch(f"the repository '{source.url}' has no directory '{source.directory}'")


def _forget_history(target: str) -> None:
    from shutil import rmtree  # heavy

    for folder, directories, names in os.walk(target):
        if ".git" in directories:
            directories.remove(".git")
            rmtree(os.path.join(folder, ".git"))
        elif ".git" in names:  # of a submodule
            os.unlink(os.path.join(folder, ".git"))


def _usual_modes(top: str) -> None:
    """0644, 0755 for programs and directories: git knows no more, and the rest is the caller's umask."""
    for folder, directories, names in os.walk(top):
        os.chmod(folder, 0o755)
        for name in names:
            path = os.path.join(folder, name)
            mode = os.lstat(path).st_mode
            if stat.S_ISREG(mode):
                os.chmod(path, 0o755 if mode & 0o100 else 0o644)
        if ".git" in directories:
            directories.remove(".git")


def _login(source: GitReference, secrets: Iterable[SecretSource]) -> dict[str, str]:
    """Variables by which git tells the server who we are; not on a command line, where everybody could read it."""
    scheme, has_scheme, rest = source.url.partition("://")
    if not has_scheme or scheme not in {"http", "https"}:
        return {}
    authority = rest.partition("/")[0].rpartition("@")[2]
    header = credentials.for_git(secrets, authority)
    if not header:
        return {}
    return {
        "GIT_CONFIG_COUNT": "1",
        "GIT_CONFIG_KEY_0": f"http.{scheme}://{authority}/.extraHeader",
        "GIT_CONFIG_VALUE_0": f"Authorization: {header}",
    }


def _git(directory: str, *words: str, login: Mapping[str, str] = {}) -> str:
    """What git prints. Raises CannotFetch with what it complains about."""
    import subprocess  # heavy

    settings = [word for setting in _SETTINGS for word in ("-c", setting)]
    environment = {
        **{name: value for name, value in os.environ.items() if not name.startswith("GIT_")},
        "GIT_ALLOW_PROTOCOL": ":".join(_PROTOCOLS),
        "GIT_CONFIG_NOSYSTEM": "1",
        "GIT_CEILING_DIRECTORIES": os.path.dirname(directory),
        "GIT_TERMINAL_PROMPT": "1" if os.isatty(0) and os.isatty(2) else "0",
        "GIT_LFS_SKIP_SMUDGE": "1",
        "LC_ALL": "C.UTF-8",
    }
    for name in (
        "GIT_SSH_COMMAND",
        "GIT_SSH",
        "GIT_SSL_CAINFO",
        "GIT_SSL_NO_VERIFY",
        "GIT_ASKPASS",
    ):
        if name in os.environ:  # the caller's own ways to log in
            environment[name] = os.environ[name]
    environment.update(login)
    command = ["git", *settings, "-C", directory, *words]
    log.debug(" ".join(command))
    try:
        done = subprocess.run(command, capture_output=True, env=environment, check=False)
    except FileNotFoundError as error:
        raise CannotFetch(
            "a git repository was asked for, and the program git is not here", hint="install git"
        ) from error
    if done.returncode:
        said = done.stderr.decode("utf-8", "replace").strip().splitlines()
        lines = [line.removeprefix("fatal: ").removeprefix("error: ") for line in said if line]
        raise CannotFetch(f"git {words[0]} failed: {'; '.join(lines[-3:]) or done.returncode}")
    return done.stdout.decode("utf-8", "replace")


def _read_query(query: str, text: str, what: str) -> tuple[str, str]:
    from urllib.parse import parse_qsl  # heavy

    values = dict(parse_qsl(query, keep_blank_values=True))
    reference = ""
    for key in ("ref", "branch", "tag", "commit"):
        reference = values.pop(key, reference)
    directory = values.pop("subdir", "")
    if values:
        raise InvalidValue(
            what, text, f"'{next(iter(values))}' is none of ref, branch, tag, commit, subdir"
        )
    return reference, directory


def _is_scp(address: str) -> bool:
    """USER@HOST:PATH, as ssh(1) and git(1) have it."""
    user, at, rest = address.partition("@")
    host, colon, path = rest.partition(":")
    return bool(
        at and colon and user and host and path and "://" not in address and "/" not in user + host
    ) and not user.startswith("-")


def _is_plain(text: str) -> bool:
    return text.isprintable() and not any(letter.isspace() for letter in text)


def _may_be_commit(text: str) -> bool:
    return 4 <= len(text) <= 64 and all(letter in "0123456789abcdef" for letter in text.lower())
