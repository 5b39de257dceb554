"""An image as it was found in an archive or directory: checked, and with every layer a range of a file."""

from __future__ import annotations

from pod.base.records import Record

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import ClassVar

    from pod.image.configuration import ImageConfig
    from pod.image.parts import Span


class FoundLayer(Record):
    """`digest` and `size` are those of the blob, as the manifest has them."""

    digest: str
    size: int
    diff_id: str
    span: Span


class FoundImage(Record):
    """`manifest` and `config` are the documents as they will be stored; `names` are full references with tag."""

    manifest: bytes
    manifest_type: str
    manifest_digest: str
    config: bytes
    config_digest: str
    parsed_config: ImageConfig
    layers: tuple[FoundLayer, ...]
    names: tuple[str, ...] = ()
    index_digest: str | None = None
    nested: ClassVar = {"layers": FoundLayer}
