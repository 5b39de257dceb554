"""Archives for the tests of loading, saving and importing: from our own builder, and as strangers write them."""

from __future__ import annotations

from typing import Any

from pod.image import archives
from pod.image.progress import Silence
from storage.store import Store
from tests.support.layout import Entry, Image, Layout, layer_tar


def a_layer(name: str = "file", content: bytes = b"content") -> bytes:
    return layer_tar([Entry(name, content * 10_000)])


def an_image(path: Any, *layers: bytes, **options: Any) -> Image:
    layout = Layout(str(path))
    made = [
        layout.add_layer(layer, options.pop("compression", "gzip"))
        for layer in layers or [a_layer()]
    ]
    return layout.add_image(made, {"Cmd": ["/bin/sh"]}, architecture="amd64", **options)


def load(store: Store, source: str | int, **options: Any) -> list[archives.LoadedImage]:
    return archives.load(store, source, Silence(), **options)
