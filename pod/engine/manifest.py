"""`pod manifest`: lists of images are made, changed and shown. Pushing them is in `list_push.py`."""

from __future__ import annotations

from pod.base.errors import PodError, UsageError
from pod.base.records import Record
from pod.engine import image_remove, images, lists, pull, registry_access
from pod.engine.artifacts import stored_file
from pod.image import lists as documents
from pod.image import manifest, media_types, whole
from pod.image.artifact import EMPTY, TITLE, new_manifest
from pod.image.document import Fields, parse_object
from pod.image.lists import Changes, NotInList
from pod.image.names import name_for_new_image
from pod.image.platform import host_platform, platform_of
from pod.image.progress import Silence
from pod.spec import reference as references
from pod.spec import transport
from pod.spec.digest import is_digest
from storage.blobs import digest_of
from storage.images import ImageNotFound, ImageRecord

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from typing import Any

    from pod.engine.context import Engine
    from pod.engine.image_remove import Removed
    from pod.engine.images import PullOptions
    from pod.image.platform import Platform
    from storage.collect import Hold
    from storage.lists import ListRecord

    Entry = dict[str, Any]
    Found = list[tuple[Entry, str]]

OCTETS = "application/octet-stream"
_PLATFORM_FIELDS = ("architecture", "os", "os.version", "os.features", "variant")


class ArtifactForm(Record):
    """How files become an artifact in a list; "" is not given."""

    type: str = ""
    config: str = ""  # path of a file
    config_type: str = ""
    layer_type: str = ""
    exclude_titles: bool = False
    subject: str = ""


def create(
    engine: Engine,
    name: str,
    members: Sequence[str],
    options: PullOptions,
    *,
    everything: bool = False,
    amend: bool = False,
    annotations: Mapping[str, str] | None = None,
) -> ListRecord:
    """A new list with images in it; nothing is made when one of them is not found. With `amend` it may be here already.

    `everything`: of a list that is named as image all images, not only this machine's. Raises NameInUse,
    ImageNotFound, InvalidReference, RegistryError.
    """
    parsed = references.parse(name)
    if parsed.digest:
        raise references.InvalidReference(name, "a list that changes has no digest to be named by")
    full = str(name_for_new_image(parsed))
    if amend:
        known = images.find_any(engine, name)
        if known is not None and not isinstance(known, ImageRecord):
            return _change(engine, known, members, Changes(), options, everything, annotations)
    with engine.store.hold() as hold:
        found = [it for text in members for it in _entries(engine, text, options, hold, everything)]
        document = documents.empty(annotations)
        for entry, _ in found:
            document = documents.with_entry(document, entry)
        sources = {str(entry["digest"]): source for entry, source in found if source}
        data = documents.to_bytes(document)
        hold.add(digest_of(data))
        return engine.store.lists.create(full, data, document["mediaType"], sources=sources)


def add(
    engine: Engine,
    text: str,
    members: Sequence[str],
    changes: Changes,
    options: PullOptions,
    *,
    everything: bool = False,
) -> ListRecord:
    """Put images into a list; `changes` override what they say of themselves. Raises what `create` raises, NotAList."""
    record = lists.find(engine, text)
    return _change(engine, record, members, changes, options, everything, None)


def _change(
    engine: Engine,
    record: ListRecord,
    members: Sequence[str],
    changes: Changes,
    options: PullOptions,
    everything: bool,
    annotations: Mapping[str, str] | None,
) -> ListRecord:
    with engine.store.hold() as hold:
        wanted = _wanted(changes)
        found = [
            (documents.changed(entry, changes), source)
            for text in members
            for entry, source in _entries(engine, text, options, hold, everything, wanted)
        ]
        return put_entries(engine, record, found, annotations or {})


def put_entries(
    engine: Engine, record: ListRecord, found: Found, annotations: Mapping[str, str]
) -> ListRecord:
    """Put entries into a list, each with its source. Call while what they refer to is held."""

    def change(document: Entry, sources: dict[str, str]) -> Entry:
        for entry, source in found:
            document = documents.with_entry(document, entry)
            sources.pop(entry["digest"], None)
            if source:
                sources[entry["digest"]] = source
        return documents.with_annotations(document, annotations)

    return engine.store.lists.change(record.id, change)


def add_artifact(
    engine: Engine,
    text: str,
    paths: Sequence[str],
    changes: Changes,
    form: ArtifactForm,
    options: PullOptions,
) -> ListRecord:
    """Make an artifact of files and put it into a list, which keeps it. Raises NotAList, FileUnreadable, TitleTaken."""
    record = lists.find(engine, text)
    blobs = engine.store.blobs
    with engine.store.hold() as hold:
        layers = [
            stored_file(engine, hold, path, form.layer_type, {}, titled=not form.exclude_titles)
            for path in paths
        ]
        config = subject = None
        if form.config:
            kind = form.config_type or OCTETS
            config = stored_file(engine, hold, form.config, kind, {}, titled=False)
        elif form.config_type:
            config = {"mediaType": form.config_type, "digest": blobs.add(EMPTY), "size": len(EMPTY)}
            hold.add(config["digest"])
        if form.subject:
            entry, _ = _entries(engine, form.subject, options, hold, everything=False)[0]
            subject = {key: entry[key] for key in ("mediaType", "digest", "size")}
        hold.add(digest_of(EMPTY))
        document = new_manifest(
            blobs, layers, artifact_type=form.type, config=config, subject=subject
        )
        data = documents.to_bytes(document)
        hold.add(digest_of(data))
        entry = {
            "mediaType": document["mediaType"],
            "size": len(data),
            "digest": blobs.add(data),
            "artifactType": document["artifactType"],
        }
        return put_entries(engine, record, [(documents.changed(entry, changes), "")], {})


def annotate(
    engine: Engine,
    text: str,
    member: str,
    changes: Changes,
    options: PullOptions,
    *,
    index_annotations: Mapping[str, str] | None = None,
    subject: str = "",
) -> ListRecord:
    """Change what a list says about one of its entries, or with `member` "" about itself.

    Raises NotInList, NotAList.
    """
    record = lists.find(engine, text)
    digest = _digest_in(engine, record, member, text) if member else ""
    about: Entry | None = None
    with engine.store.hold() as hold:
        if subject:
            entry, _ = _entries(engine, subject, options, hold, False)[0]
            about = {key: entry[key] for key in ("mediaType", "digest", "size")}

        def change(document: Entry, _: dict[str, str]) -> Entry:
            if digest:
                document = documents.with_changes(document, digest, changes, text)
            if about is not None:
                document = documents.with_subject(document, about)
            return documents.with_annotations(document, index_annotations or {})

        return engine.store.lists.change(record.id, change)


def remove(engine: Engine, text: str, member: str) -> ListRecord:
    """Take an entry out of a list. Raises NotInList, NotAList."""
    record = lists.find(engine, text)
    digest = _digest_in(engine, record, member, text)

    def change(document: Entry, sources: dict[str, str]) -> Entry:
        sources.pop(digest, None)
        return documents.without_entry(document, digest, text)

    return engine.store.lists.change(record.id, change)


def remove_list(engine: Engine, text: str) -> Removed:
    """Take a name of a list away, and forget the list with its last one, or when it is given by its id.

    Images with names of their own stay. Raises NotAList, ListNotFound, ImageInUse, SeveralNames.
    """
    lists.find(engine, text)
    return image_remove.remove(engine, text)


def inspect(engine: Engine, text: str, options: PullOptions) -> dict[str, Any]:
    """The document of a local list or image, or else of what a registry has by this name.

    Raises ImageNotFound, RegistryError.
    """
    location = images.location_of(text)
    if location is None or location.transport == transport.LOCAL:
        found = images.find_any(engine, text)
        if found is not None:
            return parse_object(engine.store.blobs.read(found.digest), f"manifest of '{text}'")
        if location is not None:
            raise lists.ListNotFound(text)
    elif location.path:
        raise UsageError(f"'{text}' is not inspected: it is no name, but a place of files")
    reference = references.parse(location.reference if location else text)
    fetched = whole.fetch_document(reference, registry_access.access(engine, options), Silence())
    return parse_object(fetched.data, f"manifest of '{text}'")


def _wanted(changes: Changes) -> Platform | None:
    if not (changes.os or changes.architecture or changes.variant):
        return None
    return platform_of(changes.os, changes.architecture, changes.variant)


def _entries(
    engine: Engine,
    text: str,
    options: PullOptions,
    hold: Hold,
    everything: bool,
    wanted: Platform | None = None,
) -> Found:
    """Entries for what a person has named, each with its source when it is not here; what is here is held then."""
    location = images.location_of(text)
    if location is not None and location.path:
        return [(_loaded(engine, text, options, hold), "")]
    if location is None or location.transport == transport.LOCAL:
        found = images.find_any(engine, text)
        if isinstance(found, ImageRecord):
            hold.add(*found.blob_digests)
            return [(_entry(found.descriptor(), found.config()), "")]
        if found is not None:
            hold.add(*engine.store.lists.blobs_of(found))
            chosen = _chosen(found.data(), found.media_type, text, everything, wanted)
            return [(entry, found.sources.get(entry["digest"], "")) for entry in chosen]
        if location is not None:
            raise ImageNotFound(text)
    reference = references.parse(location.reference if location else text)
    access, progress = registry_access.access(engine, options), registry_access.progress_of(options)
    fetched = whole.fetch_member(
        engine.store, reference, access, progress, hold, choose=options.choose
    )
    name = fetched.reference.name
    if fetched.contents.is_list:
        chosen = _chosen(fetched.data, fetched.media_type, text, everything, wanted)
        return [(entry, f"docker://{name}@{entry['digest']}") for entry in chosen]
    config = fetched.contents.config
    if config is None or config.media_type not in media_types.CONFIG_TYPES:
        return [
            ({**fetched.descriptor, "artifactType": fetched.contents.artifact_type}, fetched.source)
        ]
    data = engine.store.blobs.read(config.digest)
    document = parse_object(data, f"configuration of '{text}'")
    return [(_entry(dict(fetched.descriptor), document), fetched.source)]


def _chosen(
    data: bytes, media_type: str, text: str, everything: bool, wanted: Platform | None
) -> list[Entry]:
    """All entries of a list, or the one for a platform, as they are."""
    what = f"list '{text}'"
    entries = Fields(parse_object(data, what), what).items("manifests")
    parsed = manifest.parse_manifest(data, what, media_type)
    assert isinstance(parsed, manifest.Index)
    if everything:
        return list(entries)
    chosen = manifest.choose(parsed, wanted or host_platform(), what)
    return [entry for entry in entries if entry["digest"] == chosen.digest][:1]


def _entry(descriptor: Entry, config: Mapping[str, Any]) -> Entry:
    """The entry of an image, with the platform that its configuration tells."""
    platform = {key: config[key] for key in _PLATFORM_FIELDS if config.get(key)}
    entry = {key: descriptor[key] for key in ("mediaType", "size", "digest")}
    return {**entry, "platform": platform} if platform else entry


def _loaded(engine: Engine, text: str, options: PullOptions, hold: Hold) -> Entry:
    """An image in a file or directory, brought into the store; the list alone keeps it, when it had no name."""
    loaded = pull.pull(engine, text, options)
    image = engine.store.images.lookup(loaded.digest)
    hold.add(*image.blob_digests, *image.diff_ids)
    if not image.names:
        engine.store.images.remove_manifest(image.digest)
    return _entry(image.descriptor(), image.config())


def _digest_in(engine: Engine, record: ListRecord, member: str, shown: str) -> str:
    """The digest of the entry that a person means: by digest, by a local image, by a place in a registry, by title."""
    entries = record.members()
    digests = {str(entry["digest"]) for entry in entries}
    digest = member if is_digest(member) else member.rpartition("@")[2]
    if is_digest(digest):
        if digest not in digests:
            raise NotInList(shown, member)
        return digest
    for entry in entries:
        if isinstance(entry.get("annotations"), dict) and entry["annotations"].get(TITLE) == member:
            return str(entry["digest"])
    try:
        found = images.find_any(engine, member.removeprefix("docker://"))
    except PodError:
        found = None
    if found is not None and found.digest in digests:
        return found.digest
    raise NotInList(shown, member)
