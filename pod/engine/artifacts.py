"""`pod artifact`: files that are kept in registries beside images."""

from __future__ import annotations

import time

from pod.base import plainjson
from pod.base.errors import PodError, UsageError
from pod.base.times import rfc3339
from pod.engine import images, registry_access
from pod.engine.signing import signer_for
from pod.image import artifact as making
from pod.image import push as image_push
from pod.image import whole
from pod.image.contents import read_contents
from pod.image.media_types import CONFIG_TYPES
from pod.image.names import name_for_new_image
from pod.spec import reference as references
from storage.artifacts import ArtifactExists, ArtifactNotFound

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from typing import Any

    from pod.engine.context import Engine
    from pod.engine.images import PullOptions
    from pod.image.contents import Part
    from pod.image.trust.sign import Signing
    from storage.artifacts import ArtifactRecord
    from storage.collect import Hold

NOT_FOUND = (ArtifactNotFound, references.InvalidReference)


class NotAnArtifact(PodError):
    """An image or a list of images was to be pulled as an artifact."""

    def __init__(self, name: str) -> None:
        super().__init__(f"'{name}' is an image, not an artifact", hint=f"pod pull {name}")


class OtherArtifact(PodError):
    """Small files of one type of artifact were wanted, and a registry has something else there."""

    def __init__(self, name: str, artifact_type: str, most_bytes: int) -> None:
        super().__init__(
            f"'{name}' is no artifact of the type {artifact_type} with at most {most_bytes} bytes"
        )


def find(engine: Engine, text: str) -> ArtifactRecord:
    """The artifact that `text` means: a name, or a digest or its beginning. Raises ArtifactNotFound."""
    for wanted in (*images.candidates(engine, text), text):
        try:
            return engine.store.artifacts.lookup(wanted)
        except ArtifactNotFound:
            continue
    raise ArtifactNotFound(text)


def add(
    engine: Engine,
    name: str,
    paths: Sequence[str],
    *,
    artifact_type: str = "",
    file_type: str = "",
    annotations: Mapping[str, str] | None = None,
    append: bool = False,
    replace: bool = False,
) -> ArtifactRecord:
    """Make an artifact of files, or with `append` add them to one. Annotations are those of the files.

    Raises ArtifactExists, ArtifactNotFound, TitleTaken, FileUnreadable.
    """
    if append and replace:
        raise UsageError("--append excludes --replace")
    if append and artifact_type:
        raise UsageError("--append excludes --type: the artifact has its type already")
    full = find(engine, name).name if append else _new_name(name)
    blobs, store = engine.store.blobs, engine.store.artifacts
    if not (append or replace) and any(it.name == full for it in store.list()):
        raise ArtifactExists(full)
    with engine.store.hold() as hold:
        layers = []
        for path in paths:
            layers.append(stored_file(engine, hold, path, file_type, annotations or {}))

        def make(before: ArtifactRecord | None) -> tuple[bytes, str]:
            if append:
                if before is None:
                    raise ArtifactNotFound(name)
                document = making.with_layers(before.manifest(), layers)
            elif before is not None and not replace:
                raise ArtifactExists(full)
            else:
                document = making.new_manifest(
                    blobs,
                    layers,
                    artifact_type=artifact_type,
                    annotations={making.CREATED: rfc3339(time.time_ns())},
                )
            return plainjson.dumps(document).encode(), document["mediaType"]

        return store.put(full, make)


def stored_file(
    engine: Engine,
    hold: Hold,
    path: str,
    file_type: str,
    annotations: Mapping[str, str],
    *,
    titled: bool = True,
) -> dict[str, Any]:
    """A file in the store, held: the descriptor of its layer. Raises FileUnreadable."""
    return making.add_file(
        engine.store.blobs, path, file_type, annotations, hold=hold, titled=titled
    )


def pull_artifact(engine: Engine, text: str, options: PullOptions) -> ArtifactRecord:
    """Fetch an artifact from its registry. Call with a single thread. Raises NotAnArtifact, and as `pull.pull`."""
    reference = _in_registry(text)
    access, progress = registry_access.access(engine, options), registry_access.progress_of(options)
    with engine.store.hold() as hold:
        fetched = whole.fetch_whole(
            engine.store,
            reference,
            access,
            progress,
            hold,
            choose=options.choose,
            keeps=lambda found: not _is_image(found),
        )
        if _is_image(fetched):
            raise NotAnArtifact(text)
        return engine.store.artifacts.put(
            fetched.name, lambda _: (fetched.data, fetched.media_type)
        )


def fetch_files(
    engine: Engine, text: str, artifact_types: Sequence[str], most_bytes: int, options: PullOptions
) -> tuple[str, list[tuple[Part, bytes]]]:
    """The digest and the small files of an artifact in a registry, which is not kept here. Call with a single thread.

    Raises OtherArtifact, and as `pull.pull`.
    """
    reference = _in_registry(text)
    access, progress = registry_access.access(engine, options), registry_access.progress_of(options)

    def is_wanted(found: whole.Fetched) -> bool:
        is_small = sum(part.size for part in found.contents.blobs) <= most_bytes
        return found.contents.artifact_type in artifact_types and is_small

    blobs = engine.store.blobs
    with engine.store.hold() as hold:
        fetched = whole.fetch_whole(
            engine.store, reference, access, progress, hold, choose=options.choose, keeps=is_wanted
        )
        if not is_wanted(fetched):
            raise OtherArtifact(text, artifact_types[0], most_bytes)
        return fetched.digest, [
            (part, blobs.read(part.digest, most_bytes)) for part in fetched.contents.layers
        ]


def push_artifact(
    engine: Engine, text: str, options: PullOptions, signing: Signing | None = None
) -> str:
    """Copy an artifact to where its name says, and sign it there; its digest.

    Raises ArtifactNotFound, RegistryError, CannotSign.
    """
    record = find(engine, text)
    contents = read_contents(
        record.data(), f"manifest of artifact '{record.name}'", record.media_type
    )
    digests = [part.digest for part in contents.blobs]
    with engine.store.hold([record.digest, *digests]):
        return _send(
            engine, record.name, record.data(), record.media_type, digests, options, signing
        )


def publish(
    engine: Engine,
    name: str,
    paths: Sequence[tuple[str, str, Mapping[str, str]]],
    artifact_type: str,
    options: PullOptions,
    *,
    config_type: str = "",
) -> str:
    """Make an artifact of files, each with its type and annotations, in a registry only; its digest.

    With `config_type` it is for registries of before there were types of artifacts: the empty configuration has that.
    Raises FileUnreadable, RegistryError.
    """
    blobs = engine.store.blobs
    with engine.store.hold() as hold:
        layers = [
            stored_file(engine, hold, path, kind, annotations, titled=False)
            for path, kind, annotations in paths
        ]
        document = making.new_manifest(
            blobs,
            layers,
            artifact_type=artifact_type,
            annotations={making.CREATED: rfc3339(time.time_ns())},
        )
        if config_type:
            document.pop("artifactType")
            document["config"]["mediaType"] = config_type
        digests = [document["config"]["digest"], *(layer["digest"] for layer in layers)]
        hold.add(document["config"]["digest"])
        data = plainjson.dumps(document).encode()
        return _send(engine, _new_name(name), data, document["mediaType"], digests, options)


def _send(
    engine: Engine,
    name: str,
    data: bytes,
    media_type: str,
    digests: Sequence[str],
    options: PullOptions,
    signing: Signing | None = None,
) -> str:
    reference = references.parse(name).normalized()
    access, progress = registry_access.access(engine, options), registry_access.progress_of(options)
    signer = None if signing is None else signer_for(engine, signing, reference)
    with image_push.connect(reference, access, progress, engine.store) as destination:
        blobs = [image_push.content_of(engine.store.blobs, digest) for digest in digests]
        digest = image_push.push_as_it_is(destination, blobs, data, media_type)
        if signer is not None:
            signer.sign(destination, digest)
    progress.message("Writing manifest to image destination")
    return digest


def remove(engine: Engine, text: str) -> str:
    """Forget an artifact; its digest. What it took is free when `image_remove.collect` is called."""
    record = find(engine, text)
    engine.store.artifacts.remove(record.name)
    return record.digest


def extract(
    engine: Engine, text: str, path: str, *, digest: str = "", title: str = ""
) -> list[str]:
    """Write the files of an artifact, or the chosen one, into a directory or to a file; where they are now.

    Raises ArtifactNotFound, HostileName, NoSuchFile, ChooseOne.
    """
    record = find(engine, text)
    chosen = making.choose(record.data(), record.name, digest=digest, title=title)
    with engine.store.hold([it.part.digest for it in chosen]):
        return making.extract(engine.store.blobs, chosen, path)


def document(engine: Engine, text: str, *, size: bool = False) -> dict[str, Any]:
    """Everything about an artifact. `size` is for containers alone. Raises ArtifactNotFound."""
    record = find(engine, text)
    return {"Manifest": record.manifest(), "Name": record.name, "Digest": record.digest}


def file_bytes(record: ArtifactRecord) -> int:
    """The bytes of all files of an artifact. Raises InvalidImage."""
    contents = read_contents(record.data(), f"manifest of artifact '{record.name}'")
    return sum(part.size for part in contents.layers)


def _new_name(text: str) -> str:
    parsed = references.parse(text)
    if parsed.digest:
        raise references.InvalidReference(
            text, "an artifact has the digest that it has, so a new name takes only a tag"
        )
    return str(name_for_new_image(parsed))


def _in_registry(text: str) -> references.Reference:
    location = images.location_of(text)
    if location is not None and (location.path or location.transport != "docker"):
        raise UsageError(f"'{text}' is not in a registry, where alone artifacts come from")
    return references.parse(location.reference if location else text)


def _is_image(fetched: whole.Fetched) -> bool:
    contents = fetched.contents
    if contents.is_list:
        return True
    config = contents.config
    return (
        config is not None
        and config.media_type in CONFIG_TYPES
        and config.media_type != ""
        and (contents.artifact_type in ("", config.media_type))
    )
