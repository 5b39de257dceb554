"""Writing credentials: what `pod login` and `pod logout` do to the file, or have a credential helper do.

The file is replaced as a whole, under a lock, and what it holds besides credentials stays as it is.
Source: containers-auth.json(5), docker's `config.json`.
"""

from __future__ import annotations

import fcntl
import os
import stat

from pod.base import files, log, paths
from pod.base.errors import PodError
from pod.base.records import Record
from pod.image import auth, credential_helpers
from pod.image.auth import FILES, AuthFileError
from pod.spec.reference import DEFAULT_REGISTRY

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from typing import Any

_EMPTY = b"{}\n"


class Place(Record):
    """A file for credentials. `docker`: in the form of docker's config.json, which knows no namespaces.

    `chosen`: the person has named it, so no credential helper of registries.conf stands in for it.
    """

    path: str
    docker: bool = False
    chosen: bool = False


class Account(Record):
    """Whose credentials: a registry, or a namespace in it, such as registry.example.com/team."""

    registry: str
    namespace: str = ""

    def __str__(self) -> str:
        return f"{self.registry}/{self.namespace}" if self.namespace else self.registry


class AuthFileNotWritten(PodError):
    """The file cannot be replaced."""

    def __init__(self, path: str, error: OSError) -> None:
        why = error.strerror or "it cannot be written"
        super().__init__(
            f"the credentials cannot be written to '{path}': {why}", hint="--authfile FILE"
        )


class WholeRegistriesOnly(PodError):
    """A namespace, and what should keep it knows registries alone."""

    def __init__(self, account: Account, keeper: str) -> None:
        super().__init__(
            f"the credentials of '{account}' cannot be kept: {keeper} knows whole registries only",
            hint=f"pod login {account.registry}",
        )


def keep(
    place: Place, account: Account, username: str, password: str, helpers: Iterable[str]
) -> str:
    """Keep a user name and a password where they belong; where that was, for a person.

    `helpers` are the `credential-helpers` of registries.conf: the first that takes them has them. Raises AuthFileError,
    AuthFileNotWritten, WholeRegistriesOnly, HelperError.
    """
    errors: list[PodError] = []
    for helper in _order(place, helpers):
        try:
            if helper == FILES:
                return _keep_in_file(place, account, username, password)
            return _keep_with_helper(helper, account, account.registry, username, password)
        except PodError as error:
            log.debug(error.message)
            errors.append(error)
    raise errors[0]


def forget(place: Place, account: Account, helpers: Iterable[str]) -> bool:
    """Remove what is kept for the account; whether there was something. Raises as `keep`."""
    found = False
    for helper in _order(place, helpers):
        if helper == FILES:
            found = _forget_in_file(place, account) or found
        elif not account.namespace:
            found = _forget_with_helper(helper, account.registry) or found
    return found


def accounts(place: Place) -> list[str]:
    """The registries and namespaces that the file has entries for. Raises AuthFileError."""
    if not os.path.exists(place.path):
        return []
    entries = auth.section(_read(place.path), "auths", place.path)
    hub = {auth.plain_key(name) for name in auth.hosts(DEFAULT_REGISTRY)}
    plain = [auth.plain_key(key) for key in entries]
    return [DEFAULT_REGISTRY if name in hub else name for name in plain]


def forget_all(place: Place, helpers: Iterable[str]) -> None:
    """Remove all credentials from the file and from the helpers. Raises as `keep`."""
    order = _order(place, helpers)
    named = {helper for helper in order if helper != FILES}
    if FILES in order and os.path.exists(place.path):
        document = _read(place.path)
        named.add(auth.store_of(document, place.path))
        for helper in auth.section(document, "credHelpers", place.path).values():
            if isinstance(helper, str):
                named.add(helper)
        _change(place.path, _clear)
    for helper in sorted(named - {""}):
        for server in credential_helpers.servers(helper):
            credential_helpers.erase(helper, server)


def _order(place: Place, helpers: Iterable[str]) -> list[str]:
    return [FILES] if place.chosen else list(helpers) or [FILES]


def _keep_in_file(place: Place, account: Account, username: str, password: str) -> str:
    import base64

    helper, key = _helper_in(place, account)
    if helper:
        used = _keep_with_helper(helper, account, key, username, password)
        if auth.store_of(_read(place.path), place.path) == helper:
            # As docker does: an empty entry tells that the store has something; no password stays behind in the file.
            _change(place.path, lambda document: _set(document, place, account, {}))
        return used
    if place.docker and account.namespace:
        raise WholeRegistriesOnly(account, "docker's configuration")
    encoded = base64.b64encode(f"{username}:{password}".encode()).decode()
    _change(place.path, lambda document: _set(document, place, account, {"auth": encoded}))
    return place.path


def _keep_with_helper(
    helper: str, account: Account, server: str, username: str, password: str
) -> str:
    if account.namespace:
        raise WholeRegistriesOnly(account, f"the credential helper '{helper}'")
    credential_helpers.store(helper, server, username, password)
    return f"credential helper: {helper}"


def _helper_in(place: Place, account: Account) -> tuple[str, str]:
    """The helper that the file itself names for the account, and what it calls the registry."""
    if not os.path.exists(place.path):
        return "", ""
    document = _read(place.path)
    helper, key = auth.helper_for(document, place.path, account.registry)
    if helper:
        return helper, key
    store = auth.store_of(document, place.path)
    return store, auth.hosts(account.registry)[0] if store else ""


def _set(document: dict[str, Any], place: Place, account: Account, entry: dict[str, str]) -> bool:
    auths = auth.section(document, "auths", place.path)
    for key in _keys_of(auths, account):
        del auths[key]
    key = auth.hosts(account.registry)[0] if place.docker else str(account)
    document["auths"] = {**auths, key: entry}
    return True


def _forget_in_file(place: Place, account: Account) -> bool:
    if not os.path.exists(place.path):
        return False
    found = False
    helper, _ = _helper_in(place, account)
    if helper and not account.namespace:
        for name in auth.hosts(account.registry):
            found = _forget_with_helper(helper, name) or found

    def remove(document: dict[str, Any]) -> bool:
        auths = auth.section(document, "auths", place.path)
        keys = _keys_of(auths, account)
        for key in keys:
            del auths[key]
        return bool(keys)

    return _change(place.path, remove) or found


def _forget_with_helper(helper: str, server: str) -> bool:
    if credential_helpers.get(helper, server) is None:
        return False
    credential_helpers.erase(helper, server)
    return True


def _keys_of(auths: dict[str, Any], account: Account) -> list[str]:
    """The entries that are the account's, in whatever spelling."""
    names = {str(account)}
    if not account.namespace:
        names = {auth.plain_key(name) for name in auth.hosts(account.registry)}
    return [key for key in auths if auth.plain_key(key) in names]


def _clear(document: dict[str, Any]) -> bool:
    document["auths"] = {}
    return True


def _read(path: str) -> dict[str, Any]:
    try:
        return auth.parse_file(files.read_bytes(path), path)
    except OSError as error:
        raise AuthFileError(path, error.strerror or "it cannot be read") from error


def _change(path: str, edit: Callable[[dict[str, Any]], bool]) -> bool:
    """Let `edit` change the document in the file, and write it if that says so; what it said.

    Others who do the same wait meanwhile. Nobody ever reads half a file.
    """
    import json

    path = os.path.realpath(path)  # many keep docker's file elsewhere, and a link at its place
    lock = _locked(path)
    try:
        document = _read(path)
        changed = edit(document)
        if changed:
            # Escapes for what is not ASCII: a file may hold escaped halves of pairs, which UTF-8 cannot have.
            files.write_atomic(path, json.dumps(document, indent="\t").encode() + b"\n")
    except OSError as error:
        raise AuthFileNotWritten(path, error) from error
    finally:
        os.close(lock)
    return changed


def _locked(path: str) -> int:
    """A descriptor with the lock on the file, which is made when it is missing; closing it lets go.

    The lock is on the file itself, so that none is left beside it; who gets that of a file that was replaced meanwhile
    tries again. See flock(2).
    """
    while True:
        try:
            fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
        except FileNotFoundError:
            _make(path)
            continue
        except OSError as error:
            raise AuthFileError(path, error.strerror or "it cannot be opened") from error
        try:
            status = os.fstat(fd)
            if not stat.S_ISREG(status.st_mode):
                raise AuthFileError(path, "it is not a file")
            fcntl.flock(fd, fcntl.LOCK_EX)
            if _is_at(status, path):
                return fd
        except BaseException:
            os.close(fd)
            raise
        os.close(fd)


def _is_at(status: os.stat_result, path: str) -> bool:
    try:
        there = os.stat(path)
    except FileNotFoundError:
        return False
    return (there.st_dev, there.st_ino) == (status.st_dev, status.st_ino)


def _make(path: str) -> None:
    """A new file that holds nothing, complete from its first moment; one that another makes meanwhile is as good."""
    temporary = f"{path}.{os.getpid()}.new"
    try:
        if not os.path.isdir(os.path.dirname(path)):
            paths.make_private(os.path.dirname(path))
        files.write_atomic(temporary, _EMPTY)
        try:
            os.link(temporary, path)
        except FileExistsError:
            pass
        finally:
            os.unlink(temporary)
    except OSError as error:
        raise AuthFileNotWritten(path, error) from error
