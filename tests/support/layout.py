"""Images made without any engine: layers from entries, an OCI image layout on disk, archives of it.

What is written depends on nothing but its arguments, so that digests are the same on every machine. Recipes for real
images are in `images.py`; hostile layers are made by the tests that need them, with `Entry`.
"""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import os
import shutil
import tarfile
import zlib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import IO, Any

EPOCH = 1_700_000_000  # the time of everything that is made here
OCI_MANIFEST = "application/vnd.oci.image.manifest.v1+json"
OCI_INDEX = "application/vnd.oci.image.index.v1+json"
OCI_CONFIG = "application/vnd.oci.image.config.v1+json"
OCI_LAYER = "application/vnd.oci.image.layer.v1.tar"
DOCKER_MANIFEST = "application/vnd.docker.distribution.manifest.v2+json"
DOCKER_LIST = "application/vnd.docker.distribution.manifest.list.v2+json"
DOCKER_CONFIG = "application/vnd.docker.container.image.v1+json"
DOCKER_LAYER = "application/vnd.docker.image.rootfs.diff.tar.gzip"
DOCKER_SCHEMA1 = "application/vnd.docker.distribution.manifest.v1+prettyjws"

_TYPES = {
    "file": tarfile.REGTYPE,
    "directory": tarfile.DIRTYPE,
    "symlink": tarfile.SYMTYPE,
    "hardlink": tarfile.LNKTYPE,
    "fifo": tarfile.FIFOTYPE,
    "char": tarfile.CHRTYPE,
    "block": tarfile.BLKTYPE,
}


@dataclass(frozen=True)
class Entry:
    """One entry of a layer. `kind` is a key of _TYPES; `target` is for links, `device` for char and block."""

    name: str
    content: bytes = b""
    kind: str = "file"
    mode: int | None = None
    uid: int = 0
    gid: int = 0
    target: str = ""
    device: tuple[int, int] = (0, 0)
    xattrs: Mapping[str, str] = field(default_factory=dict)
    pax: Mapping[str, str] = field(default_factory=dict)
    mtime: int = EPOCH

    def header(self) -> tarfile.TarInfo:
        """The entry's tar header, without any check: tests want bad ones too."""
        info = tarfile.TarInfo(self.name)
        info.type = _TYPES[self.kind]
        info.mode = (
            self.mode if self.mode is not None else 0o755 if self.kind == "directory" else 0o644
        )
        info.uid, info.gid, info.mtime = self.uid, self.gid, self.mtime
        info.linkname = self.target
        info.devmajor, info.devminor = self.device
        info.size = len(self.content) if self.kind == "file" else 0
        xattrs = {f"SCHILY.xattr.{name}": value for name, value in self.xattrs.items()}
        info.pax_headers = {**xattrs, **self.pax}
        return info


def directory(name: str, mode: int = 0o755, uid: int = 0, gid: int = 0) -> Entry:
    return Entry(name, kind="directory", mode=mode, uid=uid, gid=gid)


def symlink(name: str, target: str) -> Entry:
    return Entry(name, kind="symlink", target=target, mode=0o777)


def hardlink(name: str, target: str) -> Entry:
    return Entry(name, kind="hardlink", target=target)


def layer_tar(entries: Iterable[Entry]) -> bytes:
    """An uncompressed layer."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.PAX_FORMAT) as archive:
        for entry in entries:
            archive.addfile(entry.header(), io.BytesIO(entry.content))
    return buffer.getvalue()


class Layout:
    """An OCI image layout in `directory`, which is made when it does not exist."""

    def __init__(self, path: str) -> None:
        self.path = path
        self.blobs = os.path.join(path, "blobs", "sha256")
        os.makedirs(self.blobs, exist_ok=True)
        if not os.path.exists(os.path.join(path, "oci-layout")):  # others may be copying it
            _write(os.path.join(path, "oci-layout"), b'{"imageLayoutVersion":"1.0.0"}')

    def blob_path(self, digest: str) -> str:
        return os.path.join(self.blobs, digest.removeprefix("sha256:"))

    def blob(self, digest: str) -> bytes:
        with open(self.blob_path(digest), "rb") as file:
            return file.read()

    def add(self, data: bytes) -> str:
        digest = "sha256:" + hashlib.sha256(data).hexdigest()
        _write(self.blob_path(digest), data)
        return digest

    def add_layer(
        self, source: IO[bytes] | bytes, compression: str = "gzip"
    ) -> tuple[dict[str, Any], str]:
        """Store an uncompressed layer as "gzip", "zstd" or "none"; its descriptor and its diff id."""
        stream = io.BytesIO(source) if isinstance(source, bytes) else source
        plain, packed, size = hashlib.sha256(), hashlib.sha256(), 0
        temporary = os.path.join(self.blobs, f"new.{os.getpid()}")
        with open(temporary, "wb") as out:
            for chunk in _compress(_chunks(stream, plain), compression):
                packed.update(chunk)
                size += out.write(chunk)
        digest = "sha256:" + packed.hexdigest()
        os.rename(temporary, self.blob_path(digest))
        suffix = {"gzip": "+gzip", "zstd": "+zstd", "none": ""}[compression]
        descriptor = {"mediaType": OCI_LAYER + suffix, "digest": digest, "size": size}
        return descriptor, "sha256:" + plain.hexdigest()

    def add_image(
        self,
        layers: Iterable[tuple[dict[str, Any], str]],
        config: Mapping[str, Any] | None = None,
        *,
        architecture: str = "amd64",
        os_name: str = "linux",
        variant: str | None = None,
        docker: bool = False,
        name: str = "latest",
    ) -> Image:
        """Store manifest and config of an image with these layers; `docker` for schema 2 instead of OCI.

        `config` is what image configs have under "config": Cmd, Env, ExposedPorts and so on.
        """
        layers = list(layers)
        created = "2023-11-14T22:13:20Z"
        document: dict[str, Any] = {
            "created": created,
            "architecture": architecture,
            "os": os_name,
            "config": dict(config or {}),
            "rootfs": {"type": "layers", "diff_ids": [diff_id for _, diff_id in layers]},
            "history": [
                {"created": created, "created_by": f"layer {n}"} for n in range(len(layers))
            ],
        }
        if variant:
            document["variant"] = variant
        data = to_json(document)
        descriptors = [dict(descriptor) for descriptor, _ in layers]
        if docker:
            for descriptor in descriptors:
                descriptor["mediaType"] = DOCKER_LAYER
        manifest = {
            "schemaVersion": 2,
            "mediaType": DOCKER_MANIFEST if docker else OCI_MANIFEST,
            "config": {
                "mediaType": DOCKER_CONFIG if docker else OCI_CONFIG,
                "digest": self.add(data),
                "size": len(data),
            },
            "layers": descriptors,
        }
        image = Image(self, self.add(to_json(manifest)))
        self._name(name, image.descriptor())
        return image

    def add_index(self, images: Iterable[Image], *, docker: bool = False) -> dict[str, Any]:
        """Store a list of images by platform; its descriptor."""
        manifests = []
        for image in images:
            config = image.config()
            platform = {
                key: config[key] for key in ("architecture", "os", "variant") if key in config
            }
            manifests.append({**image.descriptor(), "platform": platform})
        media_type = DOCKER_LIST if docker else OCI_INDEX
        data = to_json({"schemaVersion": 2, "mediaType": media_type, "manifests": manifests})
        return {"mediaType": media_type, "digest": self.add(data), "size": len(data)}

    def image(self, name: str = "latest") -> Image:
        with open(os.path.join(self.path, "index.json"), "rb") as file:
            index = json.load(file)
        for descriptor in index["manifests"]:
            if descriptor["annotations"]["org.opencontainers.image.ref.name"] == name:
                return Image(self, descriptor["digest"])
        raise KeyError(name)

    def _name(self, name: str, descriptor: dict[str, Any]) -> None:
        path = os.path.join(self.path, "index.json")
        index: dict[str, Any] = {"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": []}
        if os.path.exists(path):
            with open(path, "rb") as file:
                index = json.load(file)
        key = "org.opencontainers.image.ref.name"
        others = [item for item in index["manifests"] if item["annotations"][key] != name]
        index["manifests"] = [*others, {**descriptor, "annotations": {key: name}}]
        _write(path, to_json(index))


@dataclass(frozen=True)
class Image:
    """One image of a layout, by the digest of its manifest."""

    layout: Layout
    digest: str

    def manifest(self) -> dict[str, Any]:
        return dict(json.loads(self.layout.blob(self.digest)))

    def config(self) -> dict[str, Any]:
        return dict(json.loads(self.layout.blob(self.manifest()["config"]["digest"])))

    @property
    def id(self) -> str:
        """64 digits, as engines show them."""
        return str(self.manifest()["config"]["digest"].removeprefix("sha256:"))

    def descriptor(self) -> dict[str, Any]:
        size = os.path.getsize(self.layout.blob_path(self.digest))
        return {"mediaType": self.manifest()["mediaType"], "digest": self.digest, "size": size}

    def open_layer(self, number: int) -> IO[bytes]:
        """Layer `number` without its compression."""
        descriptor = self.manifest()["layers"][number]
        path = self.layout.blob_path(descriptor["digest"])
        if descriptor["mediaType"].endswith("gzip"):
            return gzip.open(path)  # type: ignore[return-value]  # GzipFile reads like a binary file
        if descriptor["mediaType"].endswith("zstd"):
            import zstandard

            stream: IO[bytes] = zstandard.open(path)
            return stream
        return open(path, "rb")

    def layers(self) -> list[tuple[dict[str, Any], str]]:
        """What add_image takes: descriptors and diff ids."""
        diff_ids = self.config()["rootfs"]["diff_ids"]
        return list(zip(self.manifest()["layers"], diff_ids, strict=True))

    def copy(self, layout: Layout, **changes: Any) -> Image:
        """The same layers and settings in another layout; `changes` are add_image's keyword arguments."""
        for descriptor, _ in self.layers():
            _link(
                self.layout.blob_path(descriptor["digest"]), layout.blob_path(descriptor["digest"])
            )
        settings = changes.pop("config", self.config()["config"])
        return layout.add_image(self.layers(), settings, **changes)

    def recompressed(self, layout: Layout, compression: str) -> Image:
        """The same image with its layers as "gzip", "zstd" or "none"."""
        layers = []
        for number in range(len(self.layers())):
            with self.open_layer(number) as stream:
                layers.append(layout.add_layer(stream, compression))
        return layout.add_image(layers, self.config()["config"])

    def docker_archive(self, path: str, tags: Iterable[str] = ()) -> str:
        """Write what `docker save` would: plain layers, manifest.json. `path` is returned."""
        config_name = f"{self.id}.json"
        names = []
        with tarfile.open(path, "w", format=tarfile.GNU_FORMAT) as archive:
            for number, (_, diff_id) in enumerate(self.layers()):
                name = diff_id.removeprefix("sha256:") + ".tar"
                if name not in names:
                    with self.open_layer(number) as stream:
                        _add_stream(archive, name, stream)
                names.append(name)
            _add(archive, config_name, self.layout.blob(self.manifest()["config"]["digest"]))
            listing = [{"Config": config_name, "RepoTags": list(tags), "Layers": names}]
            _add(archive, "manifest.json", to_json(listing))
        return path

    def oci_archive(self, path: str, tag: str = "latest") -> str:
        """Write the image alone as an OCI archive. `path` is returned."""
        manifest = self.manifest()
        key = "org.opencontainers.image.ref.name"
        index = {
            "schemaVersion": 2,
            "mediaType": OCI_INDEX,
            "manifests": [{**self.descriptor(), "annotations": {key: tag}}],
        }
        digests = {item["digest"] for item in (*manifest["layers"], manifest["config"])} | {
            self.digest
        }
        with tarfile.open(path, "w", format=tarfile.GNU_FORMAT) as archive:
            for name in (
                "blobs",
                "blobs/sha256",
            ):  # implied ones skopeo would give to root, and fail
                archive.addfile(directory(name).header())
            _add(archive, "oci-layout", b'{"imageLayoutVersion":"1.0.0"}')
            _add(archive, "index.json", to_json(index))
            for digest in sorted(digests):
                info = _info("blobs/sha256/" + digest.removeprefix("sha256:"))
                info.size = os.path.getsize(self.layout.blob_path(digest))
                with open(self.layout.blob_path(digest), "rb") as file:
                    archive.addfile(info, file)
        return path

    def schema1(self, name: str = "old", tag: str = "latest") -> bytes:
        """A manifest of Docker's schema 1 with these layers; the signature is only shaped like one."""
        blobs = [{"blobSum": descriptor["digest"]} for descriptor, _ in reversed(self.layers())]
        history = [{"v1Compatibility": json.dumps({"id": f"{n:064x}"})} for n in range(len(blobs))]
        signature = {"header": {"alg": "ES256"}, "signature": "AAAA", "protected": "AAAA"}
        return to_json(
            {
                "schemaVersion": 1,
                "name": name,
                "tag": tag,
                "architecture": "amd64",
                "fsLayers": blobs,
                "history": history,
                "signatures": [signature],
            }
        )


def to_json(value: Any) -> bytes:
    return json.dumps(value, separators=(",", ":")).encode()


def _chunks(stream: IO[bytes], sum_of_all: Any) -> Iterator[bytes]:
    while chunk := stream.read(1 << 20):
        sum_of_all.update(chunk)
        yield chunk


def _compress(chunks: Iterator[bytes], compression: str) -> Iterator[bytes]:
    if compression == "none":
        yield from chunks
        return
    compressor: Any
    if compression == "zstd":
        import zstandard

        compressor = zstandard.ZstdCompressor(level=3).compressobj()
    else:
        compressor = zlib.compressobj(
            6, zlib.DEFLATED, 31
        )  # 31: with a gzip header, whose time is 0
    for chunk in chunks:
        yield compressor.compress(chunk)
    yield compressor.flush()


def _info(name: str) -> tarfile.TarInfo:
    info = tarfile.TarInfo(name)
    info.mtime, info.mode = EPOCH, 0o644
    return info


def _add(archive: tarfile.TarFile, name: str, data: bytes) -> None:
    info = _info(name)
    info.size = len(data)
    archive.addfile(info, io.BytesIO(data))


def _add_stream(archive: tarfile.TarFile, name: str, stream: IO[bytes]) -> None:
    """Tar wants the size first, which is known only after decompression."""
    import tempfile

    with tempfile.TemporaryFile() as plain:
        shutil.copyfileobj(stream, plain, 1 << 20)
        info = _info(name)
        info.size = plain.tell()
        plain.seek(0)
        archive.addfile(info, plain)


def _link(source: str, target: str) -> None:
    if os.path.exists(target):
        return
    try:
        os.link(source, target)
    except OSError:  # another file system
        shutil.copyfile(source, target)


def _write(path: str, data: bytes) -> None:
    temporary = f"{path}.{os.getpid()}"
    with open(temporary, "wb") as file:
        file.write(data)
    os.rename(temporary, path)
