"""`--cache-to type=inline`: an image that says itself which steps its layers are, for `--cache-from` of that image."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any

    from pod.build.options import BuildOptions
    from storage.commit import NewLayer
    from storage.store import Store

STEPS = "pod.steps"
"""The key in the configuration of an image."""

ARGUMENT = "BUILDKIT_INLINE_CACHE"
"""The --build-arg with which docker asks for it."""


def is_wanted(options: BuildOptions) -> bool:
    """Whether the image is its own cache."""
    return options.arguments.get(ARGUMENT) == "1" or any(
        place.kind == "inline" for place in options.cache_to
    )


def steps(store: Store, keys: Sequence[str], layers: Sequence[NewLayer]) -> list[dict[str, Any]]:
    """The records of the steps `keys`, of which the image has these layers, in the same order.

    There are none when the layers are others, as in an image that was squashed.
    """
    if len(keys) != len(layers):
        return []
    found = []
    for key, made in zip(keys, layers, strict=True):
        record = store.steps.find(key)
        if record is not None:
            same = record.replace(
                boot="",
                diff_id=made.diff_id,
                layer_digest=made.layer.digest,
                layer_size=made.layer.size,
                layer_type=made.layer.media_type,
            )
            found.append(same.to_json())
    return found
