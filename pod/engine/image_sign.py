"""Image sign: a GPG signature for images that are in a registry, into a directory."""

from __future__ import annotations

import os

from pod.base.errors import PodError, UsageError
from pod.engine import images, registry_access
from pod.image import manifest, names
from pod.image.http import HttpClient
from pod.image.manifest import Index
from pod.image.registry import Registry
from pod.image.trust import lookaside, openpgp
from pod.image.trust.payload import Claim
from pod.image.trust.sign import gpg_signature
from pod.spec import reference as references
from pod.spec import transport

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pod.engine.context import Engine
    from pod.engine.images import PullOptions
    from pod.image.registry import FetchedManifest
    from pod.spec.reference import Reference


class NotAnIndex(PodError):
    """--all is for lists of images."""

    def __init__(self, name: str) -> None:
        super().__init__(
            f"'{name}' is one image, not a list of images for several platforms",
            hint="leave out --all",
        )


def sign(
    engine: Engine,
    text: str,
    key: str,
    options: PullOptions,
    *,
    directory: str = "",
    every: bool = False,
) -> list[str]:
    """Sign the image that has the name `text` in its registry; the paths of the signatures.

    They go below `directory`, or where registries.d says. With `every`, the list and all images in it are signed. The
    image need not be here. Raises CannotSign, BadLookaside, RegistryError, NotAnIndex.
    """
    reference = _reference(engine, text)
    base = _base(engine, reference, directory)
    openpgp.check_secret_key(key)
    access = registry_access.access(engine, options)
    endpoint = names.endpoints(reference, access.registries, tls_verify=access.tls_verify)[-1]
    http = HttpClient(access.settings)
    try:
        registry = Registry(http, endpoint, access.credentials_for(endpoint))
        found = _manifests(registry, reference, every=every)
    finally:
        http.close()
    return [
        lookaside.write_below(
            base,
            endpoint.repository,
            one.digest,
            gpg_signature(Claim(one.digest, str(reference)), key),
        )
        for one in found
    ]


def _reference(engine: Engine, text: str) -> Reference:
    """The full name. Raises UsageError for what is in a file, NoRegistry and AmbiguousName for a short one."""
    location = images.location_of(text)
    if location is not None:
        if location.transport != transport.REGISTRY:
            raise UsageError(f"'{text}' has no name that could be signed: it is no registry")
        text = location.reference
    parsed = references.parse(text)
    resolved = names.resolve(parsed, images.registries(engine), interactive=False)
    return resolved.references[0]


def _base(engine: Engine, reference: Reference, directory: str) -> str:
    if directory:
        if not os.path.isdir(directory):
            raise PodError(f"'{directory}' of --directory is not a directory")
        return os.path.abspath(directory)
    from pod.engine.configuration_signatures import load_signatures  # it takes a reader of YAML

    return lookaside.check_writable(load_signatures(engine.places).writing(str(reference)))


def _manifests(registry: Registry, reference: Reference, *, every: bool) -> list[FetchedManifest]:
    top = registry.manifest(reference.version)
    if not every:
        return [top]
    parsed = manifest.parse_manifest(top.data, f"manifest of '{reference}'", top.media_type)
    if not isinstance(parsed, Index):
        raise NotAnIndex(str(reference))
    return [top, *(registry.manifest(entry.digest) for entry in parsed.manifests)]
