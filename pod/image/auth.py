"""Credentials for a registry: where they are kept, and which of them fit a repository.

Order: what the command line gives; then the file it names, or REGISTRY_AUTH_FILE, and no other; else the files that
podman, skopeo and docker write, the first that knows the registry. Helpers named in a file are asked before its own
entries. Source: containers-auth.json(5), docker's `config.json` and its credential helper protocol.
"""

from __future__ import annotations

import os

from pod.base import log
from pod.base.errors import InvalidValue, PodError
from pod.base.records import Record

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
_HELPER_SECONDS = 60
# The one answer that means "not here" and not "broken"; the protocol has no other way to say it.
_NOT_FOUND = "credentials not found in native keychain"


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


class HelperError(PodError):
    """A credential helper that failed."""

    def __init__(self, helper: str, registry: str, why: str) -> None:
        super().__init__(f"the credential helper '{helper}' failed for '{registry}': {why}")


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
) -> Credentials | None:
    """The credentials for REGISTRY/REPOSITORY, or None. Longer keys, such as REGISTRY/NAMESPACE, win.

    `helpers` are the `credential-helpers` of registries.conf, in the order in which to ask them; FILES stands for the
    files. A file that was named on the command line comes before all of them.

    Raises AuthFileError for a file that was named and is not there, or that is not JSON; HelperError.
    """
    order = [FILES] if authfile else list(helpers) or [FILES]
    for helper in order:
        if helper == FILES:
            found = _look_into_files(registry, repository, authfile)
        else:
            found = next(filter(None, (ask_helper(helper, key) for key in _hosts(registry))), None)
        if found is not None:
            return found
    return None


def _look_into_files(registry: str, repository: str, authfile: str | None) -> Credentials | None:
    for path, required in auth_files(authfile):
        document = _read(path, required=required)
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
    home = os.environ.get("HOME") or os.path.expanduser("~")
    config_home = os.environ.get("XDG_CONFIG_HOME") or f"{home}/.config"
    docker = os.environ.get("DOCKER_CONFIG") or f"{home}/.docker"
    paths = [
        f"{config_home}/containers/auth.json",
        f"{docker}/config.json",
        f"{home}/.dockercfg",
    ]
    if runtime := os.environ.get("XDG_RUNTIME_DIR"):
        paths.insert(0, f"{runtime}/containers/auth.json")
    return [(path, False) for path in paths]


def _read(path: str, *, required: bool) -> dict[str, Any] | None:
    import json

    try:
        with open(path, "rb") as file:
            document = json.load(file)
    except FileNotFoundError:
        if required:
            raise AuthFileError(path, "there is no such file") from None
        return None
    except (NotADirectoryError, PermissionError) as error:
        if required:
            raise AuthFileError(path, error.strerror or "it cannot be opened") from error
        log.debug(f"{path} is passed over: {error.strerror}")
        return None
    except (ValueError, RecursionError) as error:
        raise AuthFileError(path, "it is not JSON") from error
    if not isinstance(document, dict):
        raise AuthFileError(path, "it is not a JSON object")
    if os.path.basename(path) == ".dockercfg":
        return {"auths": document}  # the oldest form has the entries at its top
    return document


def _look_into(
    document: dict[str, Any], path: str, registry: str, repository: str
) -> Credentials | None:
    helpers = _section(document, "credHelpers", path)
    for key in _hosts(registry):
        helper = helpers.get(key)
        if isinstance(helper, str) and helper:
            return ask_helper(helper, key)
    auths = _section(document, "auths", path)
    by_name = {_plain(key): value for key, value in auths.items()}
    for key in _keys(registry, repository):
        if key in by_name:
            found = _entry(by_name[key], path, key)
            if found is not None:
                return found
    store = document.get("credsStore")
    if isinstance(store, str) and store:
        for key in _hosts(registry):
            if (found := ask_helper(store, key)) is not None:
                return found
    return None


def _section(document: dict[str, Any], name: str, path: str) -> dict[str, Any]:
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
    for host in _hosts(registry):
        yield _plain(host)


def _hosts(registry: str) -> tuple[str, ...]:
    return _HUB_KEYS if registry == _HUB else (registry,)


def _plain(key: str) -> str:
    """A key without scheme and without the "/v1/" that docker once added; namespaces stay."""
    bare = key.partition("://")[2] if "://" in key else key
    host, _, path = bare.partition("/")
    return host if path.strip("/") in ("", "v1", "v2") else bare.rstrip("/")


def _entry(entry: Any, path: str, key: str) -> Credentials | None:
    """The credentials in one entry; None in an empty one, which docker leaves beside a credential store."""
    import base64
    import binascii

    if not isinstance(entry, dict):
        raise AuthFileError(path, f"the entry '{key}' is not an object")
    token = entry.get("identitytoken")
    if isinstance(token, str) and token:
        return Credentials(identity_token=token)
    encoded = entry.get("auth")
    if isinstance(encoded, str) and encoded:
        try:
            text = base64.b64decode(encoded, validate=True).decode()
        except (binascii.Error, UnicodeDecodeError) as error:
            raise AuthFileError(path, f"the entry '{key}' is not base64") from error
        username, colon, password = text.partition(":")
        if not colon:
            raise AuthFileError(path, f"the entry '{key}' has no password")
        return Credentials(username, password.rstrip("\0"))  # docker pads its oldest entries
    name, secret = entry.get("username"), entry.get("password")
    if isinstance(name, str) and isinstance(secret, str) and name:
        return Credentials(name, secret)
    return None


def ask_helper(helper: str, registry: str) -> Credentials | None:
    """What `docker-credential-HELPER get` knows about `registry`. Raises HelperError, except for "not found"."""
    import json
    import subprocess  # heavy

    program = f"docker-credential-{helper}"
    if "/" in helper:
        raise HelperError(helper, registry, "its name has a slash")
    try:
        done = subprocess.run(
            [program, "get"],
            input=f"{registry}\n",
            capture_output=True,
            text=True,
            check=False,
            timeout=_HELPER_SECONDS,
        )
    except FileNotFoundError:
        raise HelperError(helper, registry, f"'{program}' is not installed") from None
    except (OSError, subprocess.TimeoutExpired, UnicodeDecodeError) as error:
        raise HelperError(helper, registry, str(error)) from error
    if done.returncode != 0:
        answer = done.stdout.strip()
        if answer == _NOT_FOUND:
            return None
        raise HelperError(helper, registry, answer or f"it ended with status {done.returncode}")
    try:
        answer = json.loads(done.stdout)
        username, secret = str(answer["Username"]), str(answer["Secret"])
    except (ValueError, KeyError, TypeError) as error:
        raise HelperError(helper, registry, "its answer is not what it should be") from error
    if username == _TOKEN_USER:
        return Credentials(identity_token=secret)
    return Credentials(username, secret)
