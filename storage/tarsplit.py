"""tar-split: a tar archive without the content of its files, from which it can be put together again byte by byte.

JSON objects, a line each, in the order of the archive: segments (type 2) have bytes of it in base64, headers and
padding; file entries (type 1) say whose content comes next, how much, and with which CRC-64. An entry without content
is there too, with size 0. Source: github.com/vbatts/tar-split, tar/storage.
"""

from __future__ import annotations

from pod.base.errors import PodError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from typing import Any

FILE, SEGMENT = 1, 2
_LARGEST = (1 << 63) - 1


class InvalidTarSplit(PodError):
    """What should be tar-split data is none; `why` is without the name of the layer."""

    def __init__(self, why: str) -> None:
        super().__init__(f"the tar-split data cannot be used: {why}")
        self.why = why


class TarSplitWriter:
    """Gives the lines to `write`, one at a time."""

    def __init__(self, write: Callable[[bytes], object]) -> None:
        self._write = write
        self._position = 0

    def segment(self, data: bytes) -> None:
        """Bytes of the archive as they are."""
        from binascii import b2a_base64

        payload = b2a_base64(data, newline=False).decode()
        self._line(f'{{"type":2,"payload":"{payload}","position":{self._position}}}\n')

    def file(self, name: str, size: int, checksum: int) -> None:
        """An entry, with its content when it has any; its name must be UTF-8 and the only one of its kind."""
        import json
        from binascii import b2a_base64

        shown = json.dumps(name, ensure_ascii=False)
        payload = "null"
        count = ""
        if size:
            payload = f'"{b2a_base64(checksum.to_bytes(8, "big"), newline=False).decode()}"'
            count = f'"size":{size},'
        fields = f'"name":{shown},{count}"payload":{payload}'
        self._line(f'{{"type":1,{fields},"position":{self._position}}}\n')

    def _line(self, line: str) -> None:
        self._position += 1
        self._write(line.encode())


def read_tar_split(lines: Iterator[bytes]) -> Iterator[tuple[bytes, bytes, int]]:
    """The parts of the archive: ("", bytes, 0) for a segment, (name, "", size) for the content of a file.

    Entries without content are left out. Raises InvalidTarSplit.
    """
    import json
    from binascii import Error, a2b_base64

    for line in lines:
        try:
            record: dict[str, Any] = json.loads(line)
            kind, payload = record["type"], record.get("payload") or ""
            if kind == SEGMENT:
                yield b"", a2b_base64(payload), 0
                continue
            size = record.get("size", 0)
            name = _name(record) if size else b""
        except (ValueError, RecursionError, KeyError, TypeError, AttributeError, Error) as error:
            raise InvalidTarSplit("a line is not what it should be") from error
        if kind != FILE or type(size) is not int or not 0 <= size <= _LARGEST:
            raise InvalidTarSplit("a line is of an unknown kind")
        if size:
            yield name, b"", size


def _name(record: dict[str, Any]) -> bytes:
    from binascii import a2b_base64

    if raw := record.get("name_raw"):
        return a2b_base64(raw)
    name: str = record["name"]
    return name.encode()
