"""What becomes of the images that a build has made: names, lists of images, --output, --push."""

from __future__ import annotations

from pod.base.errors import Unsupported
from pod.base.records import Record
from pod.build.options import Built
from pod.build.outputs import STDOUT, write_output, write_to
from pod.engine import images
from pod.image import lists as documents
from pod.image.names import name_for_new_image
from pod.spec import reference as references
from pod.spec.digest import hex_of
from pod.state import events
from storage.images import ImageNotFound, ImageRecord

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any

    from pod.build.options import BuildOptions, Output
    from pod.build.progress import Progress
    from pod.engine.context import Engine
    from storage.collect import Hold
    from storage.lists import ListRecord

    Entry = dict[str, Any]

_PLATFORM_FIELDS = ("architecture", "os", "os.version", "os.features", "variant")


class Made(Record):
    """The image of one platform, which is in the store, with or without names."""

    platform: str
    image: ImageRecord


def keeps_images(options: BuildOptions) -> bool:
    """Whether the result stays in the store: without --output, with one that says so, and for every name."""
    kinds = {output.kind for output in options.outputs}
    has_name = bool(options.tags or options.manifest)
    return not kinds or has_name or any(it.kind == "image" for it in options.outputs)


def names_at_once(options: BuildOptions) -> tuple[str, ...]:
    """The names that an image of a single platform may be stored with."""
    return () if len(options.platforms) > 1 else options.tags


def deliver(
    engine: Engine,
    options: BuildOptions,
    made: Sequence[Made],
    progress: Progress,
    hold: Hold,
) -> Built:
    """Give names, make lists, write outputs, push; what the build has made as a whole. Call with a single thread.

    Raises what saving and pushing raise; the images stay then, without names.
    """
    hold.add(*(it.image.digest for it in made), *(it.image.id for it in made))
    for output in options.outputs:
        _write(engine, options, output, made, progress)
    if not keeps_images(options):
        for it in made:
            engine.store.images.remove_nameless(it.image.digest)
        return Built("")
    more = (name_of(output) for output in options.outputs if output.name)
    names = tuple(dict.fromkeys((*options.tags, *more)))
    if len(made) > 1:
        built = _as_list(engine, options, names, made, progress, hold)
    else:
        built = _as_image(engine, options, names, made[0], progress, hold)
    for output in options.outputs:
        if output.push:
            _push(engine, options, (name_of(output),) if output.name else options.tags, progress)
    return built


def name_of(output: Output) -> str:
    """The full name that one --output gives the image; "" for none."""
    return str(name_for_new_image(references.parse(output.name))) if output.name else ""


def _as_image(
    engine: Engine,
    options: BuildOptions,
    names: tuple[str, ...],
    made: Made,
    progress: Progress,
    hold: Hold,
) -> Built:
    image = made.image
    for name in names:
        if name not in image.names:
            engine.store.images.set_name(name, image.descriptor())
    if options.manifest:
        _put(engine, options.manifest, [made], progress, hold)
    _tell(engine, image.id, names[0] if names else "")
    return Built(hex_of(image.id), image.digest, names)


def _as_list(
    engine: Engine,
    options: BuildOptions,
    names: tuple[str, ...],
    made: Sequence[Made],
    progress: Progress,
    hold: Hold,
) -> Built:
    """A list of the images, under all names; one without any keeps the images as they are."""
    record: ListRecord | None = None
    if options.manifest:
        record = _put(engine, options.manifest, made, progress, hold)
    for name in names:
        progress.exporting(f"list {name}")
        data = documents.to_bytes(_document(made))
        record = engine.store.lists.create(name, data, documents.FORMATS["oci"], replace=True)
    if record is None:
        last = made[-1].image
        _tell(engine, last.id, "")
        return Built(hex_of(last.id), last.digest)
    for it in made:  # the list keeps them
        engine.store.images.remove_nameless(it.image.digest)
    _tell(engine, record.id, record.names[0] if record.names else "")
    return Built(hex_of(record.id), record.digest, tuple(record.names))


def _put(
    engine: Engine, name: str, made: Sequence[Made], progress: Progress, hold: Hold
) -> ListRecord:
    """Put the images into the list, each in the place of that for the same platform; it is made if need be."""
    progress.exporting(f"list {name}")
    lists = engine.store.lists
    try:
        record = lists.lookup(name)
    except ImageNotFound:
        data = documents.to_bytes(_document(made))
        return lists.create(name, data, documents.FORMATS["oci"])
    hold.add(*lists.blobs_of(record))

    def change(document: Entry, sources: dict[str, str]) -> Entry:
        entries = [_entry(it.image) for it in made]
        platforms = [entry.get("platform") for entry in entries]
        kept = [it for it in document.get("manifests") or [] if it.get("platform") not in platforms]
        result = {**document, "manifests": kept}
        for entry in entries:
            result = documents.with_entry(result, entry)
        for digest in set(sources) - {it["digest"] for it in result["manifests"]}:
            del sources[digest]
        return result

    return lists.change(record.id, change)


def _document(made: Sequence[Made]) -> Entry:
    document = documents.empty()
    for it in made:
        document = documents.with_entry(document, _entry(it.image))
    return document


def _entry(image: ImageRecord) -> Entry:
    """The entry of an image in a list, with the platform that its configuration tells."""
    config = image.config()
    platform = {key: config[key] for key in _PLATFORM_FIELDS if config.get(key)}
    entry = {key: image.descriptor()[key] for key in ("mediaType", "size", "digest")}
    return {**entry, "platform": platform}


def _write(
    engine: Engine,
    options: BuildOptions,
    output: Output,
    made: Sequence[Made],
    progress: Progress,
) -> None:
    if output.kind in {"image", "none"} or (output.kind == "docker" and not output.dest):
        return
    progress.exporting("standard output" if output.dest == "-" else output.dest)
    names = (name_of(output),) if output.name else options.tags
    if len(made) > 1 and output.kind != "local":
        _write_several(engine, output, names, made, progress)
        return
    for it in made:
        folder = _folder(it) if len(made) > 1 else ""
        write_output(engine.store, output, it.image, names, progress.transfer(), folder=folder)


def _write_several(
    engine: Engine,
    output: Output,
    names: tuple[str, ...],
    made: Sequence[Made],
    progress: Progress,
) -> None:
    """One archive of the images of several platforms: an OCI layout with their list, or a directory for each."""
    store = engine.store
    if output.kind == "tar":
        trees = {_folder(it): it.image.diff_ids for it in made}
        write_to(output.dest, lambda fd: store.rootfs.start_export_of_images(trees, fd).result())
        return
    from pod.image import list_files

    parts = [list_files.document_here(store, it.image.digest) for it in made]
    documents_ = [*parts, list_files.document_of_list(documents.to_bytes(_document(made)))]
    tag = names[0] if names else ""
    if not output.tar:
        list_files.save_layout(documents_, output.dest, tag, progress.transfer())
    elif output.dest == "-":
        list_files.save_archive(documents_, STDOUT, tag, progress.transfer())
    else:
        list_files.save_archive(documents_, output.dest, tag, progress.transfer())


def _folder(made: Made) -> str:
    """The directory of a platform among others, as buildx calls it."""
    return made.platform.replace("/", "_")


def check_outputs(options: BuildOptions) -> None:
    """Raises Unsupported for what could not be written after all."""
    if len(options.platforms) < 2:
        return
    for output in options.outputs:
        if output.kind == "docker" and output.dest:
            raise Unsupported(
                "--output type=docker for several platforms",
                "an archive of docker's holds no list of images",
                hint="--output type=oci,dest=FILE",
            )


def _push(
    engine: Engine, options: BuildOptions, names: tuple[str, ...], progress: Progress
) -> None:
    from pod.engine.push import PackOptions, push

    fetch = pull_options(options, "", progress)
    for name in names:
        progress.exporting(f"docker://{name}")
        push(engine, name, "", fetch, PackOptions())


def pull_options(options: BuildOptions, platform: str, progress: Progress) -> images.PullOptions:
    """How registries are used by this build."""
    return images.PullOptions(
        policy=options.pull,
        platform=platform,
        authfile=options.authfile,
        credentials=options.credentials,
        certificates=options.certificates,
        tls_verify=options.tls_verify,
        retries=options.retries,
        retry_delay_ns=options.retry_delay_ns,
        quiet=options.quiet,
        progress=progress.transfer,
    )


def _tell(engine: Engine, image_id: str, name: str) -> None:
    engine.events.append(events.event("image", "build", object_id=image_id, name=name))
