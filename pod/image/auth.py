"""Credentials for a registry: where they are kept, and which of them fit a repository.

Order: what the command line gives; then the file it names, or REGISTRY_AUTH_FILE, or the one in DOCKER_CONFIG, and no
other; else the files that podman, skopeo and docker write, the first that knows the registry. Helpers named in a file
are asked before its own entries. Source: containers-auth.json(5), docker's `config.json` and its credential helper
protocol.
"""

from __future__ import annotations

import os

from pod.base import log, paths
from pod.base.errors import InvalidValue, PodError
from pod.base.records import Record
from pod.image import credential_helpers
from pod.image.credential_helpers import HelperError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from typing import Any

FILES = "containers-auth.json"
"""How `credential-helpers` of registries.conf calls the files, in place of a helper."""

_TOKEN_USER = (
    "<token>"  # the user name with which a helper says that the secret is an identity token
)
_HUB = "docker.io"
# Docker's own client files Docker Hub under the first of these.
_HUB_KEYS = ("https://index.docker.io/v1/", "index.docker.io", "docker.io", "registry-1.docker.io")


class Credentials(Record):
    """A user name and a password, or an identity token (OAuth2 refresh token) in place of both."""

    username: str = ""
    password: str = ""
    identity_token: str = ""

    def __repr__(self) -> str:
        return (
            f"Credentials(username={self.username!r}, ...)"  # never a secret in a traceback or log
        )


class AuthFileError(PodError):
    """A file with credentials that cannot be used."""

    def __init__(self, path: str, why: str) -> None:
        super().__init__(f"the credentials in '{path}' cannot be read: {why}")


def parse_credentials(text: str) -> Credentials:
    """USER:PASSWORD, as `--creds` has it. A missing password is empty; asking for it is up to `cli`."""
    username, _, password = text.partition(":")
    if not username:
        raise InvalidValue("--creds", "...", "it must look like USER:PASSWORD")
    return Credentials(username, password)


def find_credentials(
    registry: str,
    repository: str = "",
    *,
    authfile: str | None = None,
    helpers: Iterable[str] = (),
    must_exist: bool = True,
) -> Credentials | None:
    """The credentials for REGISTRY/REPOSITORY, or None. Longer keys, such as REGISTRY/NAMESPACE, win.

    `helpers` are the `credential-helpers` of registries.conf, in the order in which to ask them; FILES stands for the
    files. A file that was named on the command line comes before all of them. A helper that fails is passed over when
    another one has what is wanted.

    Raises AuthFileError for a file that is not JSON, or that was named and is not there, when it `must_exist`;
    HelperError.
    """
    order = [FILES] if authfile else list(helpers) or [FILES]
    failed: HelperError | None = None
    for helper in order:
        try:
            if helper == FILES:
                found = _look_into_files(registry, repository, authfile, must_exist=must_exist)
            else:
                found = next(filter(None, (_ask(helper, key) for key in hosts(registry))), None)
        except HelperError as error:
            log.debug(error.message)
            failed = failed or error
            continue
        if found is not None:
            return found
    if failed is not None:
        raise failed
    return None


def _look_into_files(
    registry: str, repository: str, authfile: str | None, *, must_exist: bool
) -> Credentials | None:
    for path, named in auth_files(authfile):
        document = _read(path, required=named and must_exist)
        if document is None:
            continue
        found = _look_into(document, path, registry, repository)
        if found is not None:
            log.debug(f"credentials for {registry} are from {path}")
            return found
    return None


def auth_files(authfile: str | None = None) -> list[tuple[str, bool]]:
    """The paths to look into, in order, and whether each must exist."""
    named = authfile or os.environ.get("REGISTRY_AUTH_FILE")
    if named:
        return [(named, True)]
    if docker := os.environ.get("DOCKER_CONFIG"):  # as for docker and podman: this and no other
        return [(f"{docker}/config.json", False)]
    home = os.environ.get("HOME") or os.path.expanduser("~")
    paths = [
        default_file(),
        f"{_config_home()}/containers/auth.json",
        f"{home}/.docker/config.json",
        f"{home}/.dockercfg",
    ]
    return [(path, False) for path in dict.fromkeys(paths)]


def default_file() -> str:
    """Where a login is kept when nobody says otherwise: podman's place, or one that lasts where there is none."""
    user = os.geteuid()
    runtime = os.environ.get("XDG_RUNTIME_DIR") or f"/run/user/{user}"
    if os.path.isdir(runtime) and os.access(runtime, os.W_OK | os.X_OK):
        return f"{runtime}/containers/auth.json"
    if not paths.is_rootless():
        return f"/run/containers/{user}/auth.json"
    return f"{_config_home()}/containers/auth.json"


def _config_home() -> str:
    home = os.environ.get("HOME") or os.path.expanduser("~")
    return os.environ.get("XDG_CONFIG_HOME") or f"{home}/.config"


def _read(path: str, *, required: bool) -> dict[str, Any] | None:
    try:
        with open(path, "rb") as file:
            data = file.read()
    except FileNotFoundError:
        if required:
            raise AuthFileError(path, "there is no such file") from None
        return None
    except OSError as error:
        if required:
            raise AuthFileError(path, error.strerror or "it cannot be opened") from error
        log.warning(f"credentials in '{path}' are passed over: {error.strerror}")
        return None
    document = parse_file(data, path)
    if os.path.basename(path) == ".dockercfg":
        return {"auths": document}  # the oldest form has the entries at its top
    return document


def parse_file(data: bytes, path: str) -> dict[str, Any]:
    """The document in a file; an empty one holds nothing. Raises AuthFileError."""
    import json

    if not data.strip():
        return {}
    try:
        document = json.loads(data)
    except (ValueError, RecursionError) as error:
        raise AuthFileError(path, "it is not JSON") from error
    if not isinstance(document, dict):
        raise AuthFileError(path, "it is not a JSON object")
    return document


def _look_into(
    document: dict[str, Any], path: str, registry: str, repository: str
) -> Credentials | None:
    helper, key = helper_for(document, path, registry)
    if helper:
        return _ask(helper, key)
    auths = section(document, "auths", path)
    by_name = {plain_key(key): value for key, value in auths.items()}
    for key in _keys(registry, repository):
        if key in by_name:
            found = _entry(by_name[key], path, key)
            if found is not None:
                return found
    if store := store_of(document, path):
        for key in hosts(registry):
            if (found := _ask(store, key)) is not None:
                return found
    return None


def helper_for(document: dict[str, Any], path: str, registry: str) -> tuple[str, str]:
    """The helper that `credHelpers` names for the registry, and what it calls that; empty when there is none."""
    helpers = section(document, "credHelpers", path)
    for key in hosts(registry):
        helper = helpers.get(key)
        if helper is not None and not isinstance(helper, str):
            raise AuthFileError(path, f"the helper for '{key}' is not a text")
        if helper:
            return helper, key
    return "", ""


def store_of(document: dict[str, Any], path: str) -> str:
    """The helper that docker's `credsStore` names for all registries."""
    store = document.get("credsStore") or ""
    if not isinstance(store, str):
        raise AuthFileError(path, "'credsStore' is not a text")
    return store


def section(document: dict[str, Any], name: str, path: str) -> dict[str, Any]:
    value = document.get(name)
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise AuthFileError(path, f"'{name}' is not an object")
    return value


def _keys(registry: str, repository: str) -> Iterator[str]:
    """The entries that may hold the credentials, the longest first."""
    name = f"{registry}/{repository}" if repository else registry
    while "/" in name:
        yield name
        name = name.rpartition("/")[0]
    for host in hosts(registry):
        yield plain_key(host)


def hosts(registry: str) -> tuple[str, ...]:
    """The names under which a registry is filed, the one that docker uses first."""
    return _HUB_KEYS if registry == _HUB else (registry,)


def plain_key(key: str) -> str:
    """A key without scheme and without the "/v1/" that docker once added; namespaces stay."""
    bare = key.partition("://")[2] if "://" in key else key
    host, _, path = bare.partition("/")
    return host if path.strip("/") in ("", "v1", "v2") else bare.rstrip("/")


def _entry(entry: Any, path: str, key: str) -> Credentials | None:
    """The credentials in one entry; None in an empty one, which docker leaves beside a credential store."""
    import base64

    if not isinstance(entry, dict):
        raise AuthFileError(path, f"the entry '{key}' is not an object")
    token = entry.get("identitytoken")
    if isinstance(token, str) and token:
        return Credentials(identity_token=token)
    encoded = entry.get("auth")
    if isinstance(encoded, str) and encoded:
        try:
            text = base64.b64decode(encoded, validate=True).decode()
        except ValueError as error:  # of base64 and of UTF-8
            raise AuthFileError(path, f"the entry '{key}' is not base64") from error
        username, colon, password = text.partition(":")
        if not colon:
            raise AuthFileError(path, f"the entry '{key}' has no password")
        return Credentials(username, password.rstrip("\0"))  # docker pads its oldest entries
    name, secret = entry.get("username"), entry.get("password")
    if isinstance(name, str) and isinstance(secret, str) and name:
        return Credentials(name, secret)
    return None


def _ask(helper: str, server: str) -> Credentials | None:
    """What a credential helper knows. Raises HelperError."""
    answer = credential_helpers.get(helper, server)
    if answer is None:
        return None
    username, secret = answer
    if username == _TOKEN_USER:
        return Credentials(identity_token=secret)
    return Credentials(username, secret)
