"""OpenPGP signatures, made and verified by the program gpg.

To verify, gpg gets a home directory of its own for the moment, with the keys of the policy alone: what the person's own
keyring holds and trusts does not count. To sign, it is the person's own gpg, with their agent.

Source: gpg(1), and doc/DETAILS of GnuPG for the status lines.
"""

from __future__ import annotations

import fcntl
import os

from pod.base import log
from pod.base.errors import PodError
from pod.base.records import Record
from pod.image.trust.payload import MAX_BYTES

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from subprocess import CompletedProcess

_STATUS = "[GNUPG:] "
_SECONDS = 60
_PREFIX = "pod-gpg-"
_MOMENT_SECONDS = 60  # between making a directory and holding it there is a moment
_FAULTS = {
    "BADSIG": "its content was changed after it was signed",
    "ERRSIG": "it is not by a key that the policy names",
    "EXPSIG": "it has expired",
    "EXPKEYSIG": "its key has expired",
    "REVKEYSIG": "its key was revoked",
}


class NoGpg(PodError):
    """The program is missing."""

    def __init__(self) -> None:
        super().__init__(
            "GPG signatures need the program 'gpg', which is not installed",
            hint="apt install gnupg",
        )


class BadKey(PodError):
    """A file of the policy that should have a public key."""

    def __init__(self, source: str, why: str) -> None:
        super().__init__(
            f"the key {source} of the policy cannot be used: {why}", hint="pod image trust show"
        )


class CannotSign(PodError):
    """The signature could not be made."""

    def __init__(self, key: str, why: str, hint: str | None = "gpg --list-secret-keys") -> None:
        super().__init__(f"nothing could be signed with the key '{key}': {why}", hint=hint)


class BadSignature(Exception):
    """The signature is worth nothing; the text says why, as "its key has expired"."""


class Signer(Record):
    """Who has made a signature: the fingerprints of the key that did it, and of the primary key it belongs to."""

    fingerprint: str
    primary: str


class Keyring:
    """Public keys to verify with. A context manager: its directory goes away at the end."""

    def __init__(self, keys: Sequence[tuple[str, bytes]]) -> None:
        """`keys` are (how to call it in errors, content). Raises BadKey, NoGpg."""
        import tempfile  # heavy

        self._gpg = _program()
        _remove_left(tempfile.gettempdir())
        self._home = tempfile.TemporaryDirectory(prefix=_PREFIX)
        # Held as long as we live, so that nobody takes the directory for one that a killed command has left.
        self._held = os.open(self._home.name, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            fcntl.flock(self._held, fcntl.LOCK_EX)
            for source, content in keys:
                self._import(source, content)
        except BaseException:
            self.__exit__()
            raise

    def __enter__(self) -> Keyring:
        return self

    def __exit__(self, *_: object) -> None:
        self._home.cleanup()
        os.close(self._held)

    def open(self, signed: bytes) -> tuple[bytes, Signer]:
        """What was signed, and by whom. Raises BadSignature unless one good signature of a key here is on it."""
        target = os.path.join(self._home.name, "content")
        limit = ["--max-output", str(MAX_BYTES), "--output", target]
        done = self._run([*limit, "--trust-model", "always", "--verify", "-"], signed)
        try:
            signer = _signer(_statuses(done.stdout))
            if done.returncode != 0:
                raise BadSignature("it is no signature that gpg can read")
            with open(target, "rb") as file:
                return file.read(MAX_BYTES + 1), signer
        except FileNotFoundError:
            raise BadSignature("it has no content") from None
        finally:
            if os.path.exists(target):
                os.unlink(target)

    def show(self, key: bytes) -> list[str]:
        """The user ids of keys, which are not added."""
        done = self._run(["--with-colons", "--show-keys", "-"], key)
        lines = done.stdout.decode("utf-8", "replace").splitlines()
        return [line.split(":")[9] for line in lines if line.startswith("uid:")]

    def _import(self, source: str, content: bytes) -> None:
        try:
            done = self._run(["--import", "-"], content)
        except BadSignature as error:
            raise BadKey(source, str(error)) from error
        if not any(words[0] == "IMPORT_OK" for words in _statuses(done.stdout)):
            raise BadKey(source, "it is no OpenPGP public key")

    def _run(self, arguments: list[str], given: bytes) -> CompletedProcess[bytes]:
        import subprocess  # heavy

        home = self._home.name
        command = [
            *(
                self._gpg,
                "--homedir",
                home,
                "--no-options",
                "--batch",
                "--yes",
                "--no-tty",
                "--quiet",
            ),
            *("--no-autostart", "--disable-dirmngr", "--no-auto-key-retrieve", "--status-fd", "1"),
            *arguments,
        ]
        log.debug(" ".join(command))
        environment = {"PATH": os.environ.get("PATH", os.defpath), "HOME": home, "LC_ALL": "C"}
        try:
            return subprocess.run(
                command,
                input=given,
                capture_output=True,
                check=False,
                env=environment,
                timeout=_SECONDS,
            )
        except subprocess.TimeoutExpired:
            raise BadSignature("gpg did not come to an end with it") from None


def _remove_left(parent: str) -> None:
    """The directories of commands that were killed: ours, older than a moment, and held by nobody."""
    import time

    for name in os.listdir(parent):
        path = os.path.join(parent, name)
        if not name.startswith(_PREFIX):
            continue
        try:
            fd = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
        except OSError:
            continue  # somebody else's, or just gone
        try:
            found = os.fstat(fd)
            if found.st_uid == os.geteuid() and time.time() - found.st_mtime > _MOMENT_SECONDS:
                fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
                import shutil  # heavy

                shutil.rmtree(path, ignore_errors=True)
        except BlockingIOError:
            pass  # at work
        finally:
            os.close(fd)


def sign(content: bytes, key: str, passphrase_file: str = "") -> bytes:
    """`content`, signed with the secret key `key` of the caller's gpg: a fingerprint, a key id or a mail address.

    Raises CannotSign, NoGpg.
    """
    import subprocess  # heavy

    command = [_program(), "--batch", "--yes", "--quiet", "--local-user", key]
    passphrase = -1
    if passphrase_file:
        passphrase = _descriptor_of(read_passphrase(passphrase_file))
        command += ["--pinentry-mode", "loopback", "--passphrase-fd", str(passphrase)]
    command += ["--output", "-", "--sign", "-"]
    log.debug(" ".join(command))
    try:
        done = subprocess.run(
            command,
            input=content,
            capture_output=True,
            check=False,
            pass_fds=(passphrase,) if passphrase >= 0 else (),
        )
    finally:
        if passphrase >= 0:
            os.close(passphrase)
    if done.returncode != 0 or not done.stdout:
        said = [line for line in done.stderr.decode("utf-8", "replace").splitlines() if line]
        raise CannotSign(key, said[-1].removeprefix("gpg: ") if said else "gpg has failed")
    return done.stdout


def check_secret_key(key: str) -> None:
    """Raise CannotSign unless the caller's gpg has this secret key."""
    import subprocess  # heavy

    command = [_program(), "--batch", "--quiet", "--with-colons", "--list-secret-keys", "--", key]
    done = subprocess.run(command, capture_output=True, check=False)
    if done.returncode != 0:
        raise CannotSign(key, "gpg has no such secret key")


def owners(key: bytes) -> list[str]:
    """The mail addresses, or else the names, of those whose public keys these are; nothing when they are no keys."""
    with Keyring(()) as keyring:
        found = keyring.show(key)
    return [who.rpartition("<")[2].rstrip(">") for who in found]


def read_passphrase(path: str) -> bytes:
    """The first line of a file. Raises PodError."""
    try:
        with open(path, "rb") as file:
            return file.readline(1 << 16).rstrip(b"\r\n")
    except OSError as error:
        raise PodError(f"the passphrase cannot be read from '{path}': {error.strerror}") from error


def _program() -> str:
    from pod.linux import processes

    found = processes.find_program("gpg")
    if found is None:
        raise NoGpg
    return found


def _statuses(output: bytes) -> list[list[str]]:
    lines = output.decode("utf-8", "replace").splitlines()
    return [line[len(_STATUS) :].split() for line in lines if line.startswith(_STATUS)]


def _signer(statuses: list[list[str]]) -> Signer:
    for words in statuses:
        if words[0] in _FAULTS:
            raise BadSignature(_FAULTS[words[0]])
    good = [words for words in statuses if words[0] == "GOODSIG"]
    valid = [words for words in statuses if words[0] == "VALIDSIG"]
    if not good or not valid:
        raise BadSignature("it is no signature that gpg can read")
    if len(good) > 1 or len(valid) > 1:
        raise BadSignature("it has several signatures at once")
    return Signer(valid[0][1], valid[0][-1])


def _descriptor_of(content: bytes) -> int:
    """A descriptor to read `content` from, without a name anywhere; the caller closes it."""
    fd = os.memfd_create("passphrase", os.MFD_CLOEXEC)
    os.write(fd, content)
    os.lseek(fd, 0, os.SEEK_SET)
    return fd
