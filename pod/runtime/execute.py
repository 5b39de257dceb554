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
    from typing import Literal, NoReturn

_DEFAULT_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

_BYTE_ORDERS: dict[int, Literal["little", "big"]] = {1: "little", 2: "big"}
# The numbers of processors in ELF headers, as images call them.
_MACHINES = {
    3: "386",
    8: "mips",
    21: "ppc64le",
    22: "s390x",
    40: "arm",
    62: "amd64",
    183: "arm64",
    243: "riscv64",
    258: "loong64",
}
# Those that the kernel of a machine runs by itself.
_PROCESSORS = {"x86_64": (62, 3), "aarch64": (183, 40), "i686": (3,), "armv7l": (40,)}


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
            if error.errno == errno.ENOEXEC and (machine := _foreign_machine(candidate)):
                raise _foreign(name, machine) from error
            if error.errno not in {errno.ENOENT, errno.ENOTDIR}:
                refusal = refusal or error
            elif os.path.isfile(candidate):
                if machine := _foreign_machine(candidate):
                    raise _unreachable_emulator(name, machine) from error
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


def _foreign_machine(path: str) -> str:
    """The processor that a program is for, when it is another one than this machine's; else "". See elf(5)."""
    try:
        with open(path, "rb") as file:
            start = file.read(20)
    except OSError:
        return ""
    if len(start) < 20 or start[:4] != b"\x7fELF" or start[5] not in _BYTE_ORDERS:
        return ""
    number = int.from_bytes(start[18:20], _BYTE_ORDERS[start[5]])
    own = _PROCESSORS.get(os.uname().machine)
    return (
        ""
        if own is None or number in own
        else _MACHINES.get(number, f"a processor with the number {number}")
    )


def _foreign(name: str, machine: str) -> PodError:
    return CommandNotExecutable(
        f"command '{name}' is a program for {machine}, and this machine ({os.uname().machine}) has no emulator for it",
        hint=(
            "install qemu-user-static, which registers emulators in /proc/sys/fs/binfmt_misc, or use an image "
            "for this machine"
        ),
    )


def _unreachable_emulator(name: str, machine: str) -> PodError:
    return CommandNotExecutable(
        f"command '{name}' is a program for {machine}, and the emulator for it is not in the container",
        hint=(
            "install qemu-user-static, whose emulators are opened when they are registered "
            "(flag F in /proc/sys/fs/binfmt_misc)"
        ),
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
