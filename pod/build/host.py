"""What a build needs of the machine and of the engine, handed in by engine/build.py, which `build` does not import."""

from __future__ import annotations

from pod.base.records import Record

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Generator, Mapping
    from typing import Any, Protocol

    from pod.build.nest import Nest
    from pod.linux.idmap import IdMap
    from pod.spec.container import ContainerConfig
    from storage.images import ImageRecord
    from storage.store import Store
else:
    Protocol = object


class Order(Record):
    """What a RUN is started from: the bundle of runtime/create.py, settings for netns/attach.py, the id maps."""

    bundle: dict[str, Any]
    network: dict[str, Any]
    maps: tuple[IdMap, IdMap]
    user_namespace: str
    """The path of that to join; "" for a new one with these maps."""
    runtime: tuple[str, ...] = ()
    """Path and global options of the OCI runtime; none for pod's own."""


class Host(Protocol):
    """See above. All of it is called with a single thread."""

    @property
    def store(self) -> Store:
        """Where images, layers and the cache are."""

    @property
    def run_directory(self) -> str:
        """A directory of this build's own, in memory where there is one; gone when the build is over."""

    @property
    def nest(self) -> Nest:
        """The user namespace that everything works in."""

    # What takes long is a task (tasks.py), so that other stages go on meanwhile.

    def image(self, name: str, platform: str) -> Generator[Any, Any, ImageRecord]:
        """The image, fetched if need be, with its layers unpacked. Raises PodError."""

    def order(
        self,
        config: ContainerConfig,
        identifier: str,
        directory: str,
        layers: Mapping[str, tuple[str, ...]],
    ) -> Order:
        """How to run `config`. `directory` has a directory `rootfs` to mount on; `layers` are those of image mounts."""

    def end(self, order: Order) -> None:
        """The command that was started from this has ended, or was killed: remove what is left of it."""

    def context_directory(self, name: str) -> Generator[Any, Any, str]:
        """The directory of a --build-context of this name; "" for one that is an image. Raises PodError."""

    def context_image(self, name: str, platform: str) -> Generator[Any, Any, str]:
        """The name or id of the image that a --build-context is. Raises PodError for a directory."""

    def default_environment(self) -> dict[str, str]:
        """The variables that every container gets."""
