"""The file system of a stage as it is being built: which trees it is made of, and how to mount them."""

from __future__ import annotations

from pod.base.records import Record
from pod.build import keys
from pod.spec.digest import hex_of
from storage.layers import NAME_LENGTH

TYPE_CHECKING = False
if TYPE_CHECKING:
    from storage.images import Layer
    from storage.steps import StepRecord
    from storage.store import Store


class FileSystem(Record):
    """Layers of an image, with the trees of steps above them."""

    key: str
    """What it depends on (keys.py)."""
    diff_ids: tuple[str, ...] = ()
    """The image's layers, lowest first."""
    layers: tuple[Layer, ...] = ()
    """The same as the image's manifest has them."""
    steps: tuple[str, ...] = ()
    """Keys of the steps that have a tree, lowest first."""

    def with_step(self, record: StepRecord) -> FileSystem:
        """The file system after a step.

        What follows depends on this very execution of the step: its result may be another one when it is repeated.
        """
        inputs = {"step": record.key, "executed": str(record.created_ns)}
        if record.is_linked:
            inputs["files before it"] = self.key  # which no other key of it has
        key = keys.of("after", inputs)
        return self.replace(key=key, steps=(*self.steps, record.key) if record.tree else self.steps)


def lowers(store: Store, system: FileSystem) -> list[str]:
    """The directories that it is made of, topmost first."""
    steps = store.steps
    found = [steps.tree(key) for key in reversed(system.steps)]
    for diff_id in reversed(system.diff_ids):
        record = store.layers.record(diff_id)
        found.append(f"{store.layers.directory}/{hex_of(diff_id)[:NAME_LENGTH]}")
        if record.opaque:
            break  # overlay does not look for that mark at the root
    # A step may have become the very layer that the base has, too.
    return list(dict.fromkeys(found))
