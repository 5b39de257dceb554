"""Login and logout: credentials are tried at the registry first, then kept where podman and docker find them too."""

from __future__ import annotations

import os

from pod.base import log
from pod.base.errors import PodError, UsageError
from pod.base.records import Record
from pod.engine import images, registry_access
from pod.engine.images import PullOptions
from pod.image import auth, auth_file, failures, names
from pod.image.auth import Credentials
from pod.image.auth_file import Account, Place
from pod.image.http import HttpClient, failure_of
from pod.image.registry import Registry
from pod.spec import reference as references

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pod.engine.context import Engine
    from pod.image.names import Endpoint


class LoginOptions(Record):
    """Where credentials are kept, and how the registry is asked about them."""

    authfile: str = ""
    compat_auth_file: str = ""  # docker's config.json
    certificates: str = ""  # directory
    tls_verify: bool | None = None  # None for what the configuration says


class NotLoggedIn(PodError):
    """Nothing is known for the registry."""

    def __init__(self, account: Account) -> None:
        super().__init__(f"not logged in to '{account}'")


def account_of(engine: Engine, text: str | None) -> Account:
    """What a login is for: REGISTRY, REGISTRY/NAMESPACE or the URL of a registry; the first that is searched for
    short names when it was not said. Raises UsageError, InvalidReference."""
    if not text:
        search = images.registries(engine).search
        if not search:
            raise UsageError("no registry was given, and none is configured to search")
        return Account(search[0])
    _, scheme, rest = text.partition("://")
    rest = rest.partition("/")[0] if scheme else text.rstrip("/")
    registry, _, namespace = rest.partition("/")
    parsed = references.parse(f"{registry}/{namespace or 'x'}")
    if parsed.is_short:
        raise UsageError(
            f"'{registry}' is no registry: one has a dot or a port in its name, or is localhost",
            hint=f"pod login {references.DEFAULT_REGISTRY}/{text}",
        )
    if parsed.tag or parsed.digest:
        raise UsageError(f"'{text}' has a tag or a digest, and a login is for a whole repository")
    return Account(parsed.registry, namespace)


def known_credentials(
    engine: Engine, account: Account, options: LoginOptions
) -> Credentials | None:
    """What is kept for the account, wherever that is. Raises AuthFileError, HelperError."""
    place = place_of(engine, options)
    return auth.find_credentials(
        account.registry,
        account.namespace,
        authfile=place.path if place.chosen else None,
        helpers=images.registries(engine).credential_helpers,
        must_exist=False,
    )


def log_in(
    engine: Engine, account: Account, credentials: Credentials, options: LoginOptions
) -> str:
    """Try the credentials, and keep them when they are right; where they are now, for a person.

    Raises LoginRefused, RegistryError, RegistryBlocked, and what `auth_file.keep` raises.
    """
    check(engine, account, credentials, options)
    return auth_file.keep(
        place_of(engine, options),
        account,
        credentials.username,
        credentials.password,
        images.registries(engine).credential_helpers,
    )


def check(
    engine: Engine, account: Account, credentials: Credentials, options: LoginOptions
) -> None:
    """Ask the registry whether it knows these credentials. Raises LoginRefused, RegistryError, RegistryBlocked."""
    access = registry_access.access(
        engine, PullOptions(certificates=options.certificates, tls_verify=options.tls_verify)
    )
    endpoint = names.registry_endpoint(
        str(account), access.registries, tls_verify=options.tls_verify
    )
    http = HttpClient(access.settings, log.info)
    try:
        _ask(http, endpoint, credentials)
    finally:
        http.close()


def _ask(http: HttpClient, endpoint: Endpoint, credentials: Credentials) -> None:
    registry = Registry(http, endpoint, lambda: credentials)
    try:
        response = registry.ask(registry.root, {})
    except failures.Unauthorized as error:
        raise failures.LoginRefused(endpoint.registry, credentials.username) from error
    if response.status != 200:
        raise failure_of(response, endpoint.registry)
    response.close()


def log_out(engine: Engine, account: Account, options: LoginOptions) -> None:
    """Forget the credentials of the account. Raises NotLoggedIn, and what `auth_file.forget` raises."""
    place = place_of(engine, options)
    if auth_file.forget(place, account, images.registries(engine).credential_helpers):
        return
    if known_credentials(engine, account, options) is not None:
        raise PodError(
            f"the login to '{account}' is not in '{place.path}', but in another file or for a part of the name",
            hint=f"pod logout --authfile FILE {account}, or: docker logout {account}",
        )
    raise NotLoggedIn(account)


def log_out_everywhere(engine: Engine, options: LoginOptions) -> None:
    """Forget all credentials in the file, and those of its helpers. Raises what `auth_file.forget_all` raises."""
    helpers = images.registries(engine).credential_helpers
    auth_file.forget_all(place_of(engine, options), helpers)


def place_of(engine: Engine, options: LoginOptions) -> Place:
    """Where credentials are kept: the file that was named, or the usual one. Raises UsageError."""
    if options.authfile and options.compat_auth_file:
        raise UsageError("--authfile and --compat-auth-file exclude each other")
    if options.compat_auth_file:
        return Place(options.compat_auth_file, docker=True, chosen=True)
    named = options.authfile or os.environ.get("REGISTRY_AUTH_FILE")
    if named:
        return Place(named, chosen=True)
    if engine.credentials_directory is not None:
        return Place(f"{engine.credentials_directory}/config.json", docker=True, chosen=True)
    if directory := os.environ.get("DOCKER_CONFIG"):
        return Place(f"{directory}/config.json", docker=True)
    return Place(auth.default_file())
