"""The configuration of an image: its layers by content, its platform, and the defaults for containers.

Source: OCI image specification, "Image Configuration". Docker's fields (Healthcheck, OnBuild, Shell) are in the same
document. It is checked when an image enters the store, so that the engine may rely on the types.
"""

from __future__ import annotations

from pod.base.records import Record
from pod.image.document import Fields, InvalidImage, parse_object
from pod.image.platform import Platform

_LISTS = ("Env", "Cmd", "Entrypoint", "OnBuild", "Shell")
_TEXTS = ("User", "WorkingDir", "StopSignal", "Hostname", "Domainname", "Image")
_MAPS = ("ExposedPorts", "Volumes")


class ImageConfig(Record):
    """What the store needs of a configuration. `diff_ids` are the digests of the uncompressed layers, bottom up."""

    platform: Platform
    diff_ids: tuple[str, ...]
    created: str = ""


def parse_image_config(data: bytes, what: str) -> ImageConfig:
    """The configuration in `data`; `what` names it in errors. Raises InvalidImage when any field has a wrong type."""
    fields = Fields(parse_object(data, what), what)
    rootfs = fields.object("rootfs")
    if rootfs.text("type") not in ("layers", ""):
        raise rootfs.wrong("type", "'layers'", rootfs.values.get("type"))
    for entry in fields.objects("history"):
        for name in ("created", "created_by", "author", "comment"):
            entry.text(name)
        empty = entry.values.get("empty_layer")
        if empty is not None and not isinstance(empty, bool):
            raise entry.wrong("empty_layer", "true or false", empty)
    _check_defaults(fields.object("config"))
    return ImageConfig(
        Platform(fields.text("os"), fields.text("architecture"), fields.text("variant")),
        rootfs.digests("diff_ids"),
        fields.text("created"),
    )


def _check_defaults(fields: Fields) -> None:
    for name in _LISTS:
        fields.texts(name)
    for name in _TEXTS:
        if "\0" in fields.text(name):
            raise fields.wrong(name, "text without NUL", fields.values[name])
    for name in _MAPS:
        fields.object(name)
    fields.text_map("Labels")
    health = fields.object("Healthcheck")
    health.texts("Test")
    for name in ("Interval", "Timeout", "StartPeriod", "StartInterval", "Retries"):
        health.number(name)


def check_layer_count(config: ImageConfig, layers: int, what: str) -> None:
    """Raise InvalidImage unless the configuration has one diff id for each layer of the manifest."""
    if len(config.diff_ids) != layers:
        raise InvalidImage(
            what, f"it has {layers} layers, and its configuration names {len(config.diff_ids)}"
        )
