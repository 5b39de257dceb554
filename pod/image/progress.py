"""How a pull, load or save tells what it is doing. `cli` draws it; nothing in this package prints."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Protocol
else:
    Protocol = object


class Progress(Protocol):
    """Told of every step. `digest` is a blob's; sizes are bytes of the blob as it travels.

    `layer_known`, `advance` and `done` may be called from several threads. An implementation that has a thread of its
    own starts it in `begin` and has ended it when `finish` returns: outside of the two, processes are forked.
    """

    def message(self, text: str) -> None:
        """One line for the person: where we try, a mirror that failed, another attempt."""

    def begin(self) -> None:
        """Blobs begin to move."""

    def layer_known(self, digest: str, size: int) -> None:
        """A blob that will be copied."""

    def already_exists(self, digest: str) -> None:
        """A layer that is here, with all its files."""

    def advance(self, digest: str, count: int) -> None:
        """So many more bytes are here; a negative number when a server made us begin again."""

    def done(self, digest: str) -> None:
        """The blob is complete and verified."""

    def finish(self) -> None:
        """No blob moves any more, whether all went well or not."""


class Silence:
    """Progress that nobody watches."""

    def message(self, text: str) -> None:
        pass

    def begin(self) -> None:
        pass

    def layer_known(self, digest: str, size: int) -> None:
        pass

    def already_exists(self, digest: str) -> None:
        pass

    def advance(self, digest: str, count: int) -> None:
        pass

    def done(self, digest: str) -> None:
        pass

    def finish(self) -> None:
        pass
