"""Secrets and configs: made, shown, removed, and given to containers.

A container gets a copy when it is created, as it is stored, so that a removal does not break it. Each start writes what
the container shall see, decrypted, into the run directory, which is gone when the container has ended. The content is
never part of a configuration, so neither `inspect` nor `commit` can show it.
"""

from __future__ import annotations

import os
import time

from pod.base import files
from pod.base.errors import PodError, Unsupported
from pod.spec import secrets as grammar
from pod.state import events
from pod.state.secrets import NoSuchSecret, Secret, SecretStore

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

    from pod.engine.context import Engine
    from pod.linux.idmap import IdMap
    from pod.spec.container import ContainerConfig, SecretUse

_MOST_BYTES = {"secret": 512_000, "config": 1_024_000}  # podman's; docker's for configs
_LONGEST_VARIABLE = 131_071  # bytes with the name: execve(2), MAX_ARG_STRLEN without the zero byte
_OTHER_DRIVERS = {
    "pass": "it keeps secrets in the files of pass(1)",
    "shell": "it keeps secrets with commands of yours",
}
_OPTIONS = ("encrypt", "passphrase-file")


class WrongSize(PodError):
    """Empty, or too much."""

    def __init__(self, kind: str, name: str) -> None:
        super().__init__(
            f"{kind} '{name}' must have at least 1 and at most {_MOST_BYTES[kind]} bytes"
        )


def store(engine: Engine, kind: str = "secret") -> SecretStore:
    """Where they are kept."""
    return SecretStore(f"{engine.paths.root}/{kind}s", kind)


def most_bytes(kind: str) -> int:
    return _MOST_BYTES[kind]


def create(
    engine: Engine,
    name: str,
    data: bytes,
    *,
    kind: str = "secret",
    labels: Mapping[str, str] | None = None,
    driver: str = "",
    options: Mapping[str, str] | None = None,
    replace: bool = False,
    ignore: bool = False,
) -> Secret:
    """Store `data`; with `ignore` one of that name that is there already is fine, with `replace` it goes.

    Raises InvalidValue, SecretTaken, WrongSize, Unsupported, and what encryption raises.
    """
    grammar.check_name(name, f"{kind} name")
    if not 0 < len(data) <= _MOST_BYTES[kind]:
        raise WrongSize(kind, name)
    settings = engine.settings.secrets
    _check_driver(driver or settings.driver)
    given = dict(settings.opts) if kind == "secret" and options is None else dict(options or {})
    _check_options(given)
    at = store(engine, kind)
    existing = next((it for it in at.all() if it.name == name), None)
    if existing is not None and ignore and not replace:
        return existing
    secret_id, now = at.new_id(), time.time_ns()
    encryption = given.get("encrypt", "")
    if encryption:
        from pod.engine import secret_encryption

        data = secret_encryption.encrypt(
            data, encryption, secret_id, name, given.get("passphrase-file", "")
        )
    secret = Secret(
        secret_id,
        name,
        existing.created_ns if existing is not None and replace else now,
        now,
        labels=dict(labels or {}),
        options=given,
        encryption=encryption,
    )
    old = at.add(secret, data, replace=replace)
    if old is not None:
        _tell(engine, kind, "remove", old)
    _tell(engine, kind, "create", secret)
    return secret


def remove(engine: Engine, secret: Secret, kind: str = "secret") -> bool:
    """Remove it; containers that have a copy keep it. False when another command was quicker."""
    removed = store(engine, kind).remove(secret)
    if removed:
        _tell(engine, kind, "remove", secret)
    return removed


def content(engine: Engine, secret: Secret, kind: str = "secret") -> bytes:
    """What is in it, decrypted. Raises DamagedFile, and what decryption raises."""
    data = store(engine, kind).read(secret)
    return _plain(data, secret.encryption, secret.id, secret.name, _passphrase_file(secret))


def _tell(engine: Engine, kind: str, status: str, secret: Secret) -> None:
    if kind == "secret":
        engine.events.append(
            events.event(
                kind, status, object_id=secret.id, name=secret.name, attributes=secret.labels
            )
        )


def _check_driver(driver: str) -> None:
    if driver in _OTHER_DRIVERS:
        raise Unsupported(
            f"--driver={driver}",
            f"{_OTHER_DRIVERS[driver]}, and pod in files of its own, encrypted with "
            "--driver-opts encrypt=passphrase",
        )
    if driver not in {"", "file"}:
        raise Unsupported(f"--driver={driver}", "there is only 'file'")


def _check_options(options: Mapping[str, str]) -> None:
    for key, value in options.items():
        if key not in _OPTIONS:
            raise Unsupported(f"--driver-opts {key}={value}", f"there are {' and '.join(_OPTIONS)}")
        if key == "encrypt" and value not in {"", "passphrase", "systemd-creds"}:
            raise Unsupported(f"--driver-opts encrypt={value}", "it is passphrase or systemd-creds")


def _passphrase_file(secret: Secret) -> str:
    return str(secret.options.get("passphrase-file", ""))


def _plain(data: bytes, encryption: str, secret_id: str, name: str, passphrase_file: str) -> bytes:
    if not encryption:
        return data
    from pod.engine import secret_encryption

    return secret_encryption.decrypt(data, encryption, secret_id, name, passphrase_file)


# For containers


def look_up(engine: Engine, config: ContainerConfig) -> ContainerConfig:
    """The configuration with its secrets found. Raises NoSuchSecret, and PodError for two with one target."""
    if not config.secrets:
        return config
    at = store(engine)
    found: list[SecretUse] = []
    for use in config.secrets:
        try:
            secret = at.find(use.id or use.name)
        except NoSuchSecret:
            secret = at.find(use.name)  # of a container that is cloned: replaced meanwhile
        found.append(
            use.replace(
                id=secret.id,
                name=secret.name,
                encryption=secret.encryption,
                passphrase_file=_passphrase_file(secret),
            )
        )
    targets = [(use.kind, use.target) for use in found]
    for kind, target in targets:
        if targets.count((kind, target)) > 1:
            raise PodError(f"--secret: two secrets have the target '{target}'")
    return config.replace(secrets=tuple(found))


def copy_to_container(engine: Engine, config: ContainerConfig, directory: str) -> None:
    """Give a new container, whose directory this is, its own copies."""
    if not config.secrets:
        return
    at = store(engine)
    os.mkdir(f"{directory}/secrets", 0o700)
    for use in config.secrets:
        secret = at.find(use.id)
        stored = at.read(secret)
        if use.kind == "env":
            plain = _plain(stored, use.encryption, use.id, use.name, use.passphrase_file)
            if b"\0" in plain:
                raise PodError(
                    f"secret '{use.name}' cannot be a variable: it contains a zero byte",
                    hint=f"--secret {use.name},type=mount",
                )
            most = _LONGEST_VARIABLE - len(f"{use.target}=".encode())
            if len(plain) > most:
                raise PodError(
                    f"secret '{use.name}' cannot be a variable: it has {len(plain)} bytes, and the kernel passes "
                    f"{most} under the name '{use.target}'",
                    hint=f"--secret {use.name},type=mount",
                )
        path = f"{directory}/secrets/{use.id}"
        if not os.path.exists(path):
            files.write_atomic(path, stored, mode=0o600)


def give(
    engine: Engine,
    container_id: str,
    config: ContainerConfig,
    document: Any,
    maps: tuple[IdMap, IdMap] | None,
) -> None:
    """Put the secrets of a container that is being started into its OCI configuration, and its files into place."""
    if not config.secrets:
        return
    directory = _run_directory(engine, container_id)
    os.makedirs(directory, 0o700, exist_ok=True)
    owners: list[tuple[str, int, int]] = []
    for number, use in enumerate(config.secrets):
        plain = _copy_of(engine, container_id, use)
        path = f"{directory}/{number}"
        files.write_atomic(path, plain, mode=0o600, sync=False)
        if use.kind == "env":
            _set_variable(document["process"]["env"], use.target, plain)
            continue
        os.chmod(path, use.mode)
        owners.append((path, use.uid, use.gid))
        options = ["bind", "ro", "rprivate", "nosuid", "nodev", "noexec"]
        document["mounts"].append(
            {"destination": use.target, "type": "bind", "source": path, "options": options}
        )
    _give_to_owners(owners, maps)


def variables(engine: Engine, container_id: str, config: ContainerConfig) -> list[str]:
    """NAME=VALUE of the secrets that are variables, for one more process in the container that `give` was for."""
    found: list[str] = []
    for number, use in enumerate(config.secrets):
        if use.kind == "env":
            plain = files.read_bytes(f"{_run_directory(engine, container_id)}/{number}")
            _set_variable(found, use.target, plain)
    return found


def _run_directory(engine: Engine, container_id: str) -> str:
    return f"{engine.paths.run(container_id)}/secrets"


def _copy_of(engine: Engine, container_id: str, use: SecretUse) -> bytes:
    path = f"{engine.paths.container(container_id)}/secrets/{use.id}"
    try:
        stored = files.read_bytes(path)
    except FileNotFoundError as error:
        raise files.DamagedFile(path, f"the copy of secret '{use.name}' is gone") from error
    return _plain(stored, use.encryption, use.id, use.name, use.passphrase_file)


def _set_variable(environment: list[str], name: str, value: bytes) -> None:
    environment[:] = [entry for entry in environment if entry.partition("=")[0] != name]
    environment.append(f"{name}={value.decode('utf-8', 'surrogateescape')}")


def _give_to_owners(owners: list[tuple[str, int, int]], maps: tuple[IdMap, IdMap] | None) -> None:
    """Files of the caller's that users of the container are to own."""
    from storage import mapped

    try:
        mapped.give_files(owners, maps)
    except OSError as error:
        raise PodError(
            "a secret cannot belong to the uid or gid that --secret asks for: "
            "it is not among those that the container has",
            hint="pod unshare cat /proc/self/uid_map shows how many there are",
        ) from error
