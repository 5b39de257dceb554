"""Image scp: copy images between machines by ssh, where pod or podman is at the other end.

Nothing needs to be running there: `save` at one end is read by `load` at the other. The archive has the image as it is,
so that its digest stays the same.
"""

from __future__ import annotations

import shlex

from pod.base import log
from pod.base.errors import PodError, UsageError
from pod.base.records import Record
from pod.engine import archives
from pod.image.parts import BadArchive
from pod.linux import processes

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import IO

    from pod.engine.context import Engine
    from pod.image.progress import Progress

_FORMAT = "oci-archive"
_SAID_BYTES = 4096
_UNREACHABLE = 255
"""What ssh ends with when it is its own failure and not the command's, ssh(1)."""


class Place(Record):
    """One end of a copy: an image on this machine, or, with `host`, on another. `user` and `port` may be empty."""

    host: str = ""
    user: str = ""
    port: str = ""
    image: str = ""

    @property
    def shown(self) -> str:
        return f"{self.user}@{self.host}" if self.user else self.host


class NoConnection(PodError):
    """ssh does not get through."""

    def __init__(self, place: Place, why: str) -> None:
        port = f" -p {place.port}" if place.port else ""
        super().__init__(
            f"'{place.shown}' cannot be reached by ssh: {why}", hint=f"ssh{port} {place.shown}"
        )


class OtherSideFailed(PodError):
    """The command there has failed."""

    def __init__(self, place: Place, what: str, why: str) -> None:
        super().__init__(f"the image could not be {what} on '{place.shown}': {why}")


def parse_place(text: str) -> Place:
    """The end that a person has typed: IMAGE, or [USER@]HOST[:PORT]::[IMAGE]. Raises UsageError."""
    before, separator, image = text.rpartition("::")
    if not separator:
        return Place(image=text)
    user, _, address = before.rpartition("@")
    host, port = _split_port(address)
    if "/" in before:
        raise UsageError(f"'{text}' names a socket; pod asks a program on that machine by ssh")
    if (
        not host
        or set(before) & set(" \t\n'\"\\")
        or before.startswith("-")
        or host.startswith("-")
    ):
        raise UsageError(f"'{text}' is not [USER@]HOST[:PORT]::[IMAGE]")
    if port and not (port.isascii() and port.isdecimal() and 0 < int(port) < 65536):
        raise UsageError(f"'{text}' has no valid port")
    if host == "localhost":
        raise UsageError(
            f"'{text}' is another user of this machine, whose images only root could reach",
            hint="with a running sshd: 127.0.0.1 instead of localhost",
        )
    return Place(host, user, port, image)


def copy(engine: Engine, source: Place, target: Place, progress: Progress) -> list[str]:
    """Copy an image; the lines that tell what was loaded. One end at least is another machine.

    Call with a single thread. Raises ImageNotFound, NoConnection, OtherSideFailed, what `archives.load` raises.
    """
    if not source.image:
        raise UsageError("the image is missing", hint="pod image scp IMAGE HOST::")
    if target.image:
        raise UsageError(
            "the image keeps its name at the other end", hint="pod tag there gives it another"
        )
    if not source.host and not target.host:
        raise UsageError(
            "both ends are on this machine", hint=f"pod image scp {source.image} HOST::"
        )
    if not source.host:
        return _send(engine, source.image, target, progress)
    if not target.host:
        return _fetch(engine, source, progress)
    return _pass_on(source, target)


def _send(engine: Engine, image: str, target: Place, progress: Progress) -> list[str]:
    from pod.engine import images

    images.find_named(engine, image)  # before somebody is asked for a passphrase
    with _Remote(target, "load", ["load", "-q"], reads=True) as remote:
        try:
            archives.save(engine, [image], remote.pipe.fileno(), progress, kind=_FORMAT)
        except (PodError, OSError):
            remote.finish()  # if it is its fault, it says so
            raise
        remote.finish()
        return remote.output()


def _fetch(engine: Engine, source: Place, progress: Progress) -> list[str]:
    with _Remote(source, "save", ["save", "-q", "--format", _FORMAT, source.image]) as remote:
        try:
            loaded = archives.load(engine, remote.pipe.fileno(), progress)
        except BadArchive:
            remote.finish()
            raise
        remote.finish()
    return [f"Loaded image: {name}" for image in loaded for name in image.names or (image.id,)]


def _pass_on(source: Place, target: Place) -> list[str]:
    command = ["save", "-q", "--format", _FORMAT, source.image]
    with (
        _Remote(source, "save", command) as giver,
        _Remote(target, "load", ["load", "-q"], stdin=giver.pipe) as taker,
    ):
        giver.pipe.close()  # so that it notices when the other one has gone
        lost, unsaved = _failure(taker), _failure(giver)
        if lost is not None and unsaved is not None and not isinstance(lost, NoConnection):
            raise PodError(f"{unsaved.message}; {lost.message}")  # one of them made the other fail
        for failure in (lost, unsaved):
            if failure is not None:
                raise failure
        return taker.output()


def _failure(remote: _Remote) -> PodError | None:
    try:
        remote.finish()
    except PodError as error:
        return error
    return None


class _Remote:
    """A command on another machine. A context manager that leaves no process.

    `pipe` is its standard output, or, with `reads`, its standard input.
    """

    def __init__(
        self,
        place: Place,
        verb: str,
        words: Sequence[str],
        *,
        reads: bool = False,
        stdin: IO[bytes] | None = None,
    ) -> None:
        import subprocess  # heavy
        import tempfile

        self._place = place
        self._verb = verb
        self._said = tempfile.TemporaryFile()  # noqa: SIM115  closed in __exit__
        self._printed = tempfile.TemporaryFile()  # noqa: SIM115
        gives = not reads and stdin is None
        command = [*_ssh(place), _script(words)]
        log.debug(shlex.join(command))
        self._process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE if reads else stdin or subprocess.DEVNULL,
            stdout=subprocess.PIPE if gives else self._printed,
            stderr=self._said,
        )
        pipe = self._process.stdout if gives else self._process.stdin
        self.pipe: IO[bytes] = pipe or self._printed

    def __enter__(self) -> _Remote:
        return self

    def __exit__(self, *_: object) -> None:
        if self._process.poll() is None:
            self._process.terminate()
        for stream in (self._process.stdin, self._process.stdout):
            if stream is not None:
                stream.close()
        self._process.wait()
        self._said.close()
        self._printed.close()

    def wait(self) -> int:
        """Close the pipe and wait for the end; the exit status."""
        for stream in (self._process.stdin, self._process.stdout):
            if stream is not None:
                stream.close()
        return self._process.wait()

    def finish(self) -> None:
        """Wait for the end. Raises NoConnection, OtherSideFailed."""
        status = self.wait()
        if status == 0:
            return
        self._said.seek(0)
        lines = self._said.read(_SAID_BYTES).decode("utf-8", "replace").splitlines()
        told = [line.strip() for line in lines if line.strip()]
        errors = [line for line in told if line.lower().startswith("error: ")]
        why = (errors or told[-1:] or [f"it has ended with status {status}"])[0]
        if status == _UNREACHABLE:
            raise NoConnection(self._place, why.removeprefix("ssh: "))
        done = "loaded" if self._verb == "load" else "saved"
        raise OtherSideFailed(self._place, done, why[7:] if errors else why)

    def output(self) -> list[str]:
        """What it has printed, by lines."""
        self._printed.seek(0)
        return self._printed.read().decode("utf-8", "replace").splitlines()


def _ssh(place: Place) -> list[str]:
    program = processes.find_program("ssh")
    if program is None:
        raise PodError(
            "copies to and from other machines need the program 'ssh'",
            hint="apt install openssh-client",
        )
    port = ["-p", place.port] if place.port else []
    return [program, "-T", *port, "--", place.shown]


def _script(words: Sequence[str]) -> str:
    """What the other side's shell, whichever it is, shall do: run the first of pod and podman that is there."""
    run = " ".join(shlex.quote(word) for word in words)
    text = (
        'PATH="$PATH:$HOME/.local/bin:/usr/local/bin"; '
        f'for program in pod podman; do command -v "$program" >/dev/null && exec "$program" {run}; done; '
        "echo 'neither pod nor podman is installed there' >&2; exit 127"
    )
    return f"exec sh -c {shlex.quote(text)}"


def _split_port(address: str) -> tuple[str, str]:
    """Host and port; an address of IPv6 is in brackets, without which ssh wants it."""
    if address.startswith("["):
        host, _, rest = address[1:].partition("]")
        return host, rest.removeprefix(":")
    host, _, port = address.partition(":")
    return host, port
