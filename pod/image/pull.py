"""Pulling: from a name to an image in the store.

    name -> full names (names.py) -> places (mirrors, the registry) -> manifest for the platform -> configuration
         -> layers (install.py) -> name in the index

An interrupted pull leaves partial blobs, with which the next one continues, and staged trees that are swept.
"""

from __future__ import annotations

from pod.base import log
from pod.base.errors import PodError
from pod.base.records import Record
from pod.image import failures, manifest, names
from pod.image.configuration import ImageConfig, check_layer_count, parse_image_config
from pod.image.document import InvalidImage
from pod.image.http import HttpClient
from pod.image.manifest import Index, Manifest
from pod.image.platform import Platform, host_platform
from pod.image.policy import NotAllowed
from pod.image.registry import Registry
from pod.spec.digest import algorithm_of
from storage.blobs import DigestMismatch, WrongSize, digest_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import TypeVar

    from pod.image.access import Access
    from pod.image.install import Transfer, WantedLayer
    from pod.image.names import Endpoint
    from pod.image.policy import Demand
    from pod.image.progress import Progress
    from pod.image.registry import FetchedManifest
    from pod.image.reuse import Assembly
    from pod.spec.reference import Reference
    from storage.blobs import BlobStore
    from storage.collect import Hold
    from storage.store import Store

    Result = TypeVar("Result")

_MAX_DEPTH = 3  # a list in a list exists (attested images); deeper than that is nonsense
_WORTH_NO_WAIT_BYTES = 64 << 10  # a connection that has brought so much is only short
_MAX_CONFIG_BYTES = 4 << 20  # what the store reads into memory


class PulledImage(Record):
    """`id` is the digest of the configuration, `digest` that of the manifest, `name` the full name it now has."""

    id: str
    digest: str
    name: str


class NowhereFound(PodError):
    """Several places were asked, and none had the image."""

    def __init__(self, name: str, errors: list[PodError]) -> None:
        reasons = "; ".join(error.message for error in errors)
        super().__init__(f"'{name}' could not be pulled: {reasons}", hint=errors[-1].hint)
        self.errors = tuple(errors)


class WrongPlatform(PodError):
    """The image exists for one platform, which is not the one that was asked for."""

    def __init__(self, name: str, has: Platform, wanted: Platform) -> None:
        super().__init__(f"image '{name}' is for {has}, not for {wanted}", hint=f"--platform {has}")


def pull(
    store: Store,
    reference: Reference,
    access: Access,
    progress: Progress,
    *,
    platform: Platform | None = None,
    choose: Callable[[tuple[Reference, ...]], Reference] | None = None,
) -> PulledImage:
    """Bring the image that `reference` means into the store, and name it. Call with a single thread.

    `choose` asks the person which of several full names a short one means; without it nobody is there to be asked.
    Raises PodError: RegistryError, InvalidImage, NoSuchPlatform, LayerError, PolicyRejects, NowhereFound, ...
    """
    return visit(
        reference,
        access,
        progress,
        lambda full, endpoint, demand: _pull_from(
            store, full, endpoint, access, progress, platform, demand
        ),
        choose=choose,
    )


def visit(
    reference: Reference,
    access: Access,
    progress: Progress,
    attempt: Callable[[Reference, Endpoint, Demand | None], Result],
    *,
    choose: Callable[[tuple[Reference, ...]], Reference] | None = None,
) -> Result:
    """What `attempt` returns for the first place, of all that `reference` can mean, where it raises no RegistryError.

    A name or a place that the policy does not allow is passed over. `choose` as for `pull`. Raises PodError:
    RegistryError, NotAllowed, NowhereFound, ...
    """
    resolution = names.resolve(reference, access.registries, interactive=choose is not None)
    candidates = resolution.references
    if resolution.ask and choose is not None:
        candidates = (choose(candidates),)
    if resolution.origin:
        log.debug(f"'{reference}' is '{candidates[0]}' by {resolution.origin}")
    errors: list[PodError] = []
    for full in candidates:
        try:
            demand = access.demand(str(full))
            places = names.endpoints(full, access.registries, tls_verify=access.tls_verify)
        except (names.RegistryBlocked, NotAllowed) as error:
            errors.append(error)
            continue
        progress.message(f"Trying to pull {full}...")
        for endpoint in places:
            if endpoint.is_mirror:
                progress.message(f"Trying mirror {endpoint.name}")
            try:
                return attempt(full, endpoint, demand)
            except (failures.RegistryError, NotAllowed) as error:
                log.debug(f"{endpoint.name}: {error.message}")
                errors.append(error)
            except (InvalidImage, DigestMismatch, WrongSize) as error:
                if not endpoint.is_mirror:
                    raise
                # A mirror that has something else is no better than one that has nothing.
                progress.message(f"Warning: mirror {endpoint.name}: {error.message}")
                errors.append(error)
    if len(errors) == 1:
        raise errors[0]
    raise NowhereFound(str(reference), errors)


def all_tags(reference: Reference, access: Access, progress: Progress) -> list[str]:
    """The tags of the repository that a full `reference` names, from the first place that answers."""
    errors: list[PodError] = []
    for endpoint in names.endpoints(reference, access.registries, tls_verify=access.tls_verify):
        http = HttpClient(access.settings, progress.message)
        try:
            return Registry(http, endpoint, access.credentials_for(endpoint)).tags()
        except failures.RegistryError as error:
            errors.append(error)
        finally:
            http.close()
    if len(errors) == 1:
        raise errors[0]
    raise NowhereFound(reference.name, errors)


def remote_digest(reference: Reference, access: Access, progress: Progress) -> str:
    """The digest that a full `reference` has in its registry now: of the manifest, or of the index.

    It is one of `digest` and `index_digests` of a local image that is up to date. Raises RegistryError.
    """
    errors: list[PodError] = []
    for endpoint in names.endpoints(reference, access.registries, tls_verify=access.tls_verify):
        http = HttpClient(access.settings, progress.message)
        registry = Registry(http, endpoint, access.credentials_for(endpoint))
        try:
            digest = registry.manifest_digest(reference.version)
            return digest or registry.manifest(reference.version).digest
        except failures.RegistryError as error:
            errors.append(error)
        finally:
            http.close()
    if len(errors) == 1:
        raise errors[0]
    raise NowhereFound(str(reference), errors)


def _pull_from(
    store: Store,
    reference: Reference,
    endpoint: Endpoint,
    access: Access,
    progress: Progress,
    platform: Platform | None,
    demand: Demand | None,
) -> PulledImage:
    http = HttpClient(access.settings, progress.message)
    registry = Registry(http, endpoint, access.credentials_for(endpoint))
    try:
        http.meanwhile(_load_for_manifest)
        fetched, parsed, index_digest = _find_manifest(registry, reference, platform)
        if demand is not None:
            check_signatures(demand, reference, registry, fetched, access)
        with store.hold([fetched.digest, parsed.config.digest]) as hold:
            image = _fetch_image(
                store, registry, reference, parsed, hold, access, progress, platform
            )
            progress.message("Writing manifest to image destination")
            put_blob(store.blobs, fetched.digest, fetched.data)
            name = full_name(reference)
            descriptor = {
                "mediaType": parsed.media_type,
                "digest": fetched.digest,
                "size": len(fetched.data),
            }
            if index_digest is None or not _is_here_whole(store, name, index_digest):
                store.images.set_name(name, descriptor, index_digest=index_digest)
            store.sources.note(fetched.digest, f"docker://{reference.name}")
        _remember_place(store, endpoint, parsed)
    finally:
        http.close()
    log.debug(f"'{name}' is image {parsed.config.digest} for {image.platform}")
    return PulledImage(parsed.config.digest, fetched.digest, name)


def _load_for_manifest() -> None:
    """What every pull needs next, loaded while the manifest is on its way."""
    for name in ("hashlib", "storage.collect", "pod.image.byteranges"):
        __import__(name)


def _load_for_layers() -> None:
    """The same while the configuration is on its way."""
    for name in ("pod.image.install", "storage.unpackjob"):
        __import__(name)


def _remember_place(store: Store, endpoint: Endpoint, parsed: Manifest) -> None:
    """So that a push to another repository there need not send the blobs."""
    places = store.places
    places.add((layer.digest for layer in (*parsed.layers, parsed.config)), endpoint.name)
    places.keep()


def _is_here_whole(store: Store, name: str, index_digest: str) -> bool:
    """Whether the name stands for that list, with all its images: then it stays so."""
    return any(
        name in record.names and record.digest == index_digest for record in store.lists.list()
    )


def _find_manifest(
    registry: Registry, reference: Reference, platform: Platform | None
) -> tuple[FetchedManifest, Manifest, str | None]:
    """The manifest for the platform, and the digest of the index through which it was found."""
    wanted = platform or host_platform()
    what = f"manifest of '{reference}'"
    fetched = registry.manifest(reference.version)
    index_digest = None
    for _ in range(_MAX_DEPTH):
        parsed = manifest.parse_manifest(fetched.data, what, fetched.media_type)
        if isinstance(parsed, Manifest):
            return fetched, parsed, index_digest
        index_digest = index_digest or fetched.digest
        chosen = manifest.choose(parsed, wanted, f"list of images of '{reference}'")
        fetched = registry.manifest(chosen.digest)
    parsed = manifest.parse_manifest(fetched.data, what, fetched.media_type)
    if isinstance(parsed, Index):
        raise InvalidImage(what, "it is a list of lists of lists")
    return fetched, parsed, index_digest


def check_signatures(
    demand: Demand,
    reference: Reference,
    registry: Registry,
    fetched: FetchedManifest,
    access: Access,
) -> None:
    """Raise NotSigned unless the manifest of `reference` in `registry` has the signatures that the policy demands.

    Call for every manifest of an image, before anything that it names is stored. Raises BadKey, RegistryError.
    """
    from pod.image.trust.found import InRegistry  # few policies ask for signatures
    from pod.image.trust.lookaside import SignaturePlaces
    from pod.image.trust.verify import verify

    places = access.signatures or SignaturePlaces()
    found = InRegistry(registry, reference.version, fetched.digest, places)
    verify(demand, reference, fetched.data, found)


def _fetch_image(
    store: Store,
    registry: Registry,
    reference: Reference,
    parsed: Manifest,
    hold: Hold,
    access: Access,
    progress: Progress,
    platform: Platform | None,
) -> ImageConfig:
    """Configuration and layers, into the store."""
    _expect_only_layer(store.blobs, registry, parsed, partial=access.partial)
    data = _config_data(store.blobs, registry, parsed.config)
    config = parse_image_config(data, f"configuration of '{reference}'")
    check_layer_count(config, len(parsed.layers), f"image '{reference}'")
    check_platform(str(reference), config.platform, platform, progress)
    from pod.image.install import WantedLayer, install_layers

    layers = [
        WantedLayer(layer.digest, layer.size, diff_id)
        for layer, diff_id in zip(parsed.layers, config.diff_ids, strict=True)
    ]
    hold.add(*(digest for layer in layers for digest in (layer.digest, layer.diff_id)))
    assembly = None
    if access.partial and any(layer.annotations for layer in parsed.layers):
        from pod.image.reuse import Assembly

        annotations = {layer.digest: layer.annotations for layer in parsed.layers}
        assembly = Assembly(store, registry, annotations, reference.name, progress)
    install_layers(store, layers, RegistrySource(registry, assembly), progress)
    progress.message(f"Copying config {parsed.config.digest}")
    put_blob(store.blobs, parsed.config.digest, data)
    return config


def _expect_only_layer(
    blobs: BlobStore, registry: Registry, parsed: Manifest, *, partial: bool
) -> None:
    """When all layers are here but one, ask for it before the configuration has come and a child waits for it."""
    missing = {layer.digest: layer for layer in parsed.layers if not blobs.has(layer.digest)}
    if len(missing) == 1:
        (layer,) = missing.values()
        if not blobs.is_begun(layer.digest) and not (partial and layer.annotations):
            registry.expect_blob(layer.digest)


def check_platform(name: str, has: Platform, wanted: Platform | None, progress: Progress) -> None:
    """Raise WrongPlatform when a platform was asked for and this is not it; warn when it is not this machine's."""
    if not has.os or not has.architecture:
        return  # images that do not say: `FROM scratch` of old builders
    if wanted is not None and wanted.rank_of(has) is None:
        raise WrongPlatform(name, has, wanted)
    if wanted is None and host_platform().rank_of(has) is None:
        progress.message(
            f"Warning: image '{name}' is for {has}, and this machine is {host_platform()}"
        )


def full_name(reference: Reference) -> str:
    """The name in the index: with the digest when that was asked for, else with the tag."""
    if reference.digest:
        return f"{reference.name}@{reference.digest}"
    return reference.tagged


def put_blob(blobs: BlobStore, digest: str, data: bytes) -> None:
    """Store bytes that must have this digest. Raises DigestMismatch."""
    actual = digest_of(data, algorithm_of(digest))
    if actual != digest:
        raise DigestMismatch(digest, actual)
    with blobs.receive(digest, len(data)) as partial:
        if not partial.already_here:
            partial.restart()
            partial.write(data)
            partial.commit()


def _config_data(blobs: BlobStore, registry: Registry, descriptor: manifest.Descriptor) -> bytes:
    if blobs.has(descriptor.digest):
        return blobs.read(descriptor.digest, _MAX_CONFIG_BYTES)
    if descriptor.size > _MAX_CONFIG_BYTES:
        raise failures.AnswerTooLarge(
            registry.endpoint.registry, "configuration of the image", _MAX_CONFIG_BYTES
        )
    registry.http.meanwhile(_load_for_layers)
    data = registry.small_blob(descriptor.digest, descriptor.size)
    actual = digest_of(data, algorithm_of(descriptor.digest))
    if actual != descriptor.digest:
        raise DigestMismatch(descriptor.digest, actual)
    return data


class RegistrySource:
    """Blobs from a registry, continued after every interruption."""

    def __init__(self, registry: Registry, assembly: Assembly | None = None) -> None:
        self._registry = registry
        self._assembly = assembly

    def span(self, layer: WantedLayer) -> None:
        return None

    def cancel(self) -> None:
        self._registry.http.cancel()

    def fetch(self, layer: WantedLayer, transfer: Transfer) -> None:
        """Raises RegistryError when it does not get further, WrongSize when there is more than announced."""
        if self._assembly is not None and self._assembly.fetch(layer, transfer):
            return
        http, host = self._registry.http, self._registry.endpoint.registry
        http.meanwhile(transfer.begin)
        furthest, attempt = transfer.offset, 0
        while transfer.offset < layer.size:
            failure: failures.RegistryError
            try:
                self._fetch_once(layer, transfer)
                if transfer.offset == layer.size:
                    return
                failure = failures.ConnectionLost(host, "the blob ended too early")
            except failures.RegistryError as error:
                if not error.transient:
                    raise
                failure = error
            if http.is_cancelled:
                raise failures.Cancelled
            gained = transfer.offset - furthest
            if gained > 0:  # as long as there is progress, it is worth another attempt
                furthest, attempt = transfer.offset, 0
            if gained >= _WORTH_NO_WAIT_BYTES:
                log.debug(f"{failure.message}; going on at byte {furthest}")
                continue
            attempt += 1
            if attempt > http.settings.retries:
                raise failure
            http.pause(attempt, failure)

    def _fetch_once(self, layer: WantedLayer, transfer: Transfer) -> None:
        stream = self._registry.blob(layer.digest, transfer.offset)
        try:
            if stream.size is not None and stream.size != layer.size:
                raise failures.UnexpectedAnswer(
                    self._registry.endpoint.registry,
                    f"blob '{layer.digest}' has {stream.size} bytes and should have {layer.size}",
                )
            if stream.offset != transfer.offset:
                transfer.restart()
            for chunk in stream.chunks():
                transfer.write(chunk)
        finally:
            stream.close()
