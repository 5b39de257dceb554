"""How a command uses registries and who is told of the progress, from the configuration and its options."""

from __future__ import annotations

import os

from pod.base.errors import PodError
from pod.engine import images
from pod.image.access import Access
from pod.image.connections import Settings
from pod.image.progress import Silence

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pod.engine.context import Engine
    from pod.engine.images import PullOptions
    from pod.image.auth import Credentials
    from pod.image.progress import Progress
    from pod.image.trust.lookaside import SignaturePlaces

_SECOND = 1_000_000_000


def access(engine: Engine, options: PullOptions, *, fetches: bool = True) -> Access:
    """How registries are used: the configuration, and the options on top of it.

    The policy for what comes in is read where something `fetches`. Raises ConfigurationError.
    """
    settings = engine.settings.engine
    delay_ns = options.retry_delay_ns
    if delay_ns is None and settings.retry_delay:
        from pod.base.units import parse_duration_ns

        delay_ns = parse_duration_ns(settings.retry_delay, "retry_delay")
    check_files(options)
    policy = None
    if fetches:
        from pod.engine.configuration_registries import load_policy

        policy = load_policy(engine.places)
    return Access(
        registries=images.registries(engine),
        policy=policy,
        signatures=_signatures(engine) if policy and policy.wants_signatures else None,
        settings=Settings(
            retries=settings.retry if options.retries is None else options.retries,
            retry_delay_seconds=None if delay_ns is None else delay_ns / _SECOND,
            cert_dir=options.certificates or None,
        ),
        tls_verify=options.tls_verify,
        authfile=_authfile(engine, options),
        credentials=_credentials(options),
        partial=engine.settings.storage.enable_partial_images,
    )


def check_files(options: PullOptions) -> None:
    """Raise PodError where --authfile or --cert-dir names nothing."""
    if options.certificates and not os.path.isdir(options.certificates):
        raise PodError(
            f"'{options.certificates}' of --cert-dir is not a directory, such as /etc/containers/certs.d/HOST"
        )
    if options.authfile and not os.path.exists(options.authfile):
        raise PodError(
            f"the file '{options.authfile}' of --authfile does not exist",
            hint="pod login --authfile FILE REGISTRY makes one",
        )


def progress_of(options: PullOptions) -> Progress:
    """Who is told of the progress."""
    return Silence() if options.progress is None or options.quiet else options.progress()


def _credentials(options: PullOptions) -> Credentials | None:
    if not options.credentials:
        return None
    from pod.image.auth import parse_credentials

    return parse_credentials(options.credentials)


def _signatures(engine: Engine) -> SignaturePlaces:
    from pod.engine.configuration_signatures import load_signatures  # it takes a reader of YAML

    return load_signatures(engine.places)


def _authfile(engine: Engine, options: PullOptions) -> str | None:
    """The file of --authfile, or docker's config.json in the directory of --config."""
    if options.authfile:
        return options.authfile
    directory = engine.credentials_directory
    if directory is None or not os.path.exists(f"{directory}/config.json"):
        return None
    return f"{directory}/config.json"
