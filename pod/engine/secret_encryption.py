"""Secrets encrypted at rest: with a passphrase, or by systemd-creds(1) with the machine's own key.

    passphrase      AES-256-GCM by the Python package `cryptography`, under a key that scrypt makes of the passphrase
    systemd-creds   the program encrypts with the key of the machine or its TPM chip; no passphrase is needed

What is stored begins with a line that says its form. The id of the secret is authenticated with it, so that nobody can
exchange the files of two secrets.
"""

from __future__ import annotations

import os

from pod.base import files
from pod.base.errors import PodError

_MAGIC = b"pod-secret 1 scrypt aes-256-gcm\n"
_SALT_BYTES, _NONCE_BYTES, _KEY_BYTES = 16, 12, 32
_SCRYPT = {"n": 1 << 15, "r": 8, "p": 1, "maxmem": 64 << 20}  # 32 MiB and about 0.1 s
PASSPHRASE_VARIABLE = "POD_SECRETS_PASSPHRASE"


class CannotEncrypt(PodError):
    """What the encryption takes is not there."""


class CannotDecrypt(PodError):
    """A wrong passphrase, or a file that somebody has changed."""


def encrypt(data: bytes, way: str, secret_id: str, name: str, passphrase_file: str) -> bytes:
    """`data` in the form that is stored. Raises CannotEncrypt."""
    if way == "systemd-creds":
        return _systemd_creds("encrypt", secret_id, name, data)
    passphrase = _passphrase(name, passphrase_file, confirm=True)
    salt, nonce = os.urandom(_SALT_BYTES), os.urandom(_NONCE_BYTES)
    sealed = _cipher(passphrase, salt).encrypt(nonce, data, _MAGIC + secret_id.encode())
    return _MAGIC + salt + nonce + bytes(sealed)


def decrypt(data: bytes, way: str, secret_id: str, name: str, passphrase_file: str) -> bytes:
    """The inverse. Raises CannotDecrypt, CannotEncrypt."""
    if way == "systemd-creds":
        return _systemd_creds("decrypt", secret_id, name, data)
    if not data.startswith(_MAGIC):
        raise CannotDecrypt(f"secret '{name}' is not in a form that this version of pod knows")
    salt, rest = data[len(_MAGIC) :][:_SALT_BYTES], data[len(_MAGIC) + _SALT_BYTES :]
    nonce, sealed = rest[:_NONCE_BYTES], rest[_NONCE_BYTES:]
    cipher = _cipher(_passphrase(name, passphrase_file, confirm=False), salt)
    from cryptography.exceptions import InvalidTag

    try:
        return bytes(cipher.decrypt(nonce, sealed, _MAGIC + secret_id.encode()))
    except (InvalidTag, ValueError) as error:
        raise CannotDecrypt(
            f"secret '{name}' cannot be decrypted: the passphrase is not the right one, "
            "or its file was changed"
        ) from error


def _cipher(passphrase: bytes, salt: bytes):  # type: ignore[no-untyped-def]  # of a package that may be missing
    try:
        from cryptography.hazmat.primitives.ciphers.aead import AESGCM  # heavy
    except ImportError as error:
        raise CannotEncrypt(
            "secrets with a passphrase need the Python package 'cryptography', which is not installed",
            hint="pip install 'pod-containers[secrets]', or apt install python3-cryptography",
        ) from error
    import hashlib  # heavy

    return AESGCM(hashlib.scrypt(passphrase, salt=salt, dklen=_KEY_BYTES, **_SCRYPT))


def _passphrase(name: str, path: str, *, confirm: bool) -> bytes:
    """From the environment, from the file that was chosen with the secret, or from the person at the terminal."""
    given = os.environ.get(PASSPHRASE_VARIABLE)
    if given:
        return os.fsencode(given)
    if path:
        try:
            found = files.read_bytes(path).rstrip(b"\r\n")
        except OSError as error:
            raise CannotEncrypt(
                f"the passphrase of secret '{name}' cannot be read from '{path}': {error.strerror}"
            ) from error
        if not found:
            raise CannotEncrypt(f"the file '{path}' with the passphrase is empty")
        return found
    if not _has_terminal():
        raise CannotEncrypt(
            f"secret '{name}' needs a passphrase, and there is no terminal to ask for it",
            hint=f"set {PASSPHRASE_VARIABLE}, or create it with --driver-opts passphrase-file=PATH",
        )
    return _asked(name, confirm=confirm)


def _has_terminal() -> bool:
    """Whether somebody can be asked, also when the secret itself comes from standard input."""
    try:
        os.close(os.open("/dev/tty", os.O_RDWR | os.O_CLOEXEC | os.O_NOCTTY))
    except OSError:
        return False
    return True


def _asked(name: str, *, confirm: bool) -> bytes:
    import getpass  # heavy

    text = getpass.getpass(f"Passphrase for secret '{name}': ")
    if not text:
        raise CannotEncrypt("an empty passphrase protects nothing")
    if confirm and getpass.getpass("The same again: ") != text:
        raise CannotEncrypt("the two passphrases differ")
    return os.fsencode(text)


def _systemd_creds(verb: str, secret_id: str, name: str, data: bytes) -> bytes:
    """Run `systemd-creds`. An ordinary user can do that since systemd 256, which has --user."""
    from pod.linux import processes

    program = processes.find_program("systemd-creds")
    if program is None:
        raise CannotEncrypt(
            "systemd-creds is not installed", hint="use --driver-opts encrypt=passphrase"
        )
    command = [program, verb, f"--name=pod-secret-{secret_id}", "-", "-"]
    if os.geteuid() != 0:
        command.insert(2, "--user")
    import subprocess  # heavy

    done = subprocess.run(command, input=data, capture_output=True, check=False)
    if done.returncode != 0:
        said = done.stderr.decode("utf-8", "replace").strip().rpartition("\n")[2]
        kind = CannotEncrypt if verb == "encrypt" else CannotDecrypt
        raise kind(
            f"secret '{name}' cannot be {verb}ed by systemd-creds: {said}",
            hint="an ordinary user needs systemd 256 or newer; encrypt=passphrase needs none",
        )
    return done.stdout
