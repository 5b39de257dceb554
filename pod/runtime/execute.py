"""The last step: find the command and become it, or say which of the shell's two statuses describes the failure.

Source of the statuses: podman-run(1), "Exit Status"; POSIX XCU 2.8.2: 127 for a command that is not found, 126 for one
that cannot be executed.
"""

from __future__ import annotations

import errno
import os

from pod.base import exits
from pod.base.errors import PodError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import NoReturn

_DEFAULT_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


class CommandNotFound(PodError):
    """No file of this name where the container looks for programs."""

    exit_status = exits.NOT_FOUND


class CommandNotExecutable(PodError):
    """The file is there, but it cannot be executed."""

    exit_status = exits.NOT_EXECUTABLE


def command(arguments: list[str], environment: list[str], directory: str) -> NoReturn:
    """execve(2) in the container. Looks a name without a slash up in the PATH of `environment`.

    Raises CommandNotFound or CommandNotExecutable; returns never.
    """
    name = arguments[0]
    variables = dict(entry.partition("=")[::2] for entry in environment)
    refusal: OSError | None = None
    for candidate in _candidates(name, environment, directory):
        try:
            os.execve(candidate, arguments, variables)
        except OSError as error:
            if error.errno not in {errno.ENOENT, errno.ENOTDIR}:
                refusal = refusal or error
            elif os.path.isfile(candidate):
                raise _missing_interpreter(name, candidate) from error
        except ValueError as error:  # a NUL byte in an argument
            raise CommandNotExecutable(f"command '{name}' cannot be started: {error}") from error
    if refusal is None:
        raise _not_found(name, _path_of(environment))
    raise _refused(name, refusal) from refusal


def check(arguments: list[str], environment: list[str], directory: str) -> None:
    """Raise what `command` would raise for a command that is missing or not executable, as far as can be told."""
    name = arguments[0]
    refusal: OSError | None = None
    for candidate in _candidates(name, environment, directory):
        try:
            with open(candidate, "rb") as file:
                start = file.read(256)
            if not os.access(candidate, os.X_OK):
                raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))
        except OSError as error:
            if error.errno not in {errno.ENOENT, errno.ENOTDIR}:
                refusal = refusal or error
            continue
        interpreter = start.partition(b"\n")[0][2:].split() if start.startswith(b"#!") else []
        if interpreter and not os.path.exists(interpreter[0]):
            raise _missing_interpreter(name, candidate)
        return
    raise _refused(name, refusal) if refusal else _not_found(name, _path_of(environment))


def _candidates(name: str, environment: list[str], directory: str) -> list[str]:
    """The paths to try, in order."""
    if "/" in name:
        return [os.path.join(directory, name)]
    return [os.path.join(part or directory, name) for part in _path_of(environment).split(":")]


def _path_of(environment: list[str]) -> str:
    values = [entry[5:] for entry in environment if entry.startswith("PATH=")]
    return (values[-1] if values else "") or _DEFAULT_PATH


def _not_found(name: str, path: str) -> PodError:
    where = f"in the container's PATH ({path})" if "/" not in name else "in the container"
    return CommandNotFound(
        f"command '{name}' was not found {where}",
        hint="see what the image has: pod run --rm --entrypoint /bin/sh IMAGE -c 'ls /bin /usr/bin'",
    )


def _missing_interpreter(name: str, path: str) -> PodError:
    return CommandNotFound(
        f"command '{name}' cannot be started: the interpreter or loader that '{path}' names is not in the container",
        hint="a script needs the program of its '#!' line; a binary of another C library needs its loader",
    )


def _refused(name: str, error: OSError) -> PodError:
    if error.errno == errno.ENOEXEC:
        return CommandNotExecutable(
            f"command '{name}' has no format that this kernel can execute",
            hint="is the image made for another processor, or the script without a '#!' line?",
        )
    return CommandNotExecutable(
        f"command '{name}' cannot be executed: {os.strerror(error.errno or 0)}"
    )
