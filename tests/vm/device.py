"""A disk that forgets at a power cut what was not flushed, as real ones with a cache do; for qemu, by NBD.

When qemu is killed, its host keeps all that it wrote, whatever its option `cache` says. So the disk is here: writes go
to the image at once, with a note of what was there before; a flush forgets the notes. A cut undoes what has a note,
and then does some of it again, by chance, since a cache is written in any order. Writes are kept or lost whole: a
sector is never half written, which ext4 and SQLite rely on too.

The protocol is https://github.com/NetworkBlockDevice/nbd/blob/master/doc/proto.md, as much of it as qemu uses.
"""

from __future__ import annotations

import contextlib
import os
import random
import socket
import struct
import threading
from dataclasses import dataclass

_MAGIC, _OPTION_MAGIC, _REPLY_MAGIC = b"NBDMAGIC", b"IHAVEOPT", 0x3E889045565A9
_FIXED_NEWSTYLE, _NO_ZEROES = 1, 2
_OPTION_ABORT, _OPTION_INFO, _OPTION_GO = 2, 6, 7
_ACKNOWLEDGED, _INFO, _UNSUPPORTED = 1, 3, (1 << 31) + 1
_HAS_FLAGS, _SENDS_FLUSH, _SENDS_FUA = 1, 4, 8
_READ, _WRITE, _DISCONNECT, _FLUSH = range(4)
_FUA = 1
_REQUEST, _ANSWER = 0x25609513, 0x67446698
_INVALID = 22


@dataclass
class _Write:
    offset: int
    before: bytes
    data: bytes
    is_durable: bool


class Disk:
    """The image at `path` behind the socket `address`; a context manager. One machine at a time uses it."""

    def __init__(self, path: str, address: str) -> None:
        self.address = address
        self.flushes = 0
        self._fd = os.open(path, os.O_RDWR | os.O_CLOEXEC)
        self._unflushed: list[_Write] = []
        self._lock = threading.Lock()
        self._client: socket.socket | None = None
        self._listener = socket.socket(socket.AF_UNIX)
        self._listener.bind(address)
        self._listener.listen(1)
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def __enter__(self) -> Disk:
        return self

    def __exit__(self, *_: object) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._hang_up()
        self._thread.join()
        os.close(self._fd)

    def cut(self, chance: random.Random) -> tuple[int, int]:
        """No more is taken from the machine; how many unflushed writes were lost, and how many there were."""
        with self._lock:
            self._hang_up()
            writes, self._unflushed = self._unflushed, []
            for write in reversed(writes):
                os.pwrite(self._fd, write.before, write.offset)
            kept = chance.choice((0.0, 0.5, 0.9))
            lost = 0
            for write in writes:
                if write.is_durable or chance.random() < kept:
                    os.pwrite(self._fd, write.data, write.offset)
                else:
                    lost += 1
            return lost, len(writes)

    def _hang_up(self) -> None:
        if self._client is not None:
            with contextlib.suppress(OSError):
                self._client.shutdown(socket.SHUT_RDWR)

    def _serve(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            with client:
                self._client = client
                with contextlib.suppress(EOFError, OSError):
                    self._agree(client)
                    while self._answer(client):
                        pass
                with self._lock:
                    self._client = None

    def _agree(self, client: socket.socket) -> None:
        client.sendall(_MAGIC + _OPTION_MAGIC + struct.pack(">H", _FIXED_NEWSTYLE | _NO_ZEROES))
        _receive(client, 4)
        while True:
            _, option, length = struct.unpack(">8sII", _receive(client, 16))
            _receive(client, length)
            if option in (_OPTION_GO, _OPTION_INFO):
                flags = _HAS_FLAGS | _SENDS_FLUSH | _SENDS_FUA
                size = os.fstat(self._fd).st_size
                self._reply(client, option, _INFO, struct.pack(">HQH", 0, size, flags))
                self._reply(client, option, _ACKNOWLEDGED)
                if option == _OPTION_GO:
                    return
            elif option == _OPTION_ABORT:
                self._reply(client, option, _ACKNOWLEDGED)
                raise EOFError
            else:
                self._reply(client, option, _UNSUPPORTED)

    def _reply(self, client: socket.socket, option: int, kind: int, data: bytes = b"") -> None:
        client.sendall(struct.pack(">QIII", _REPLY_MAGIC, option, kind, len(data)) + data)

    def _answer(self, client: socket.socket) -> bool:
        """Do one request; whether there will be more. None is done after a cut."""
        magic, flags, kind, handle, offset, length = struct.unpack(">IHHQQI", _receive(client, 28))
        assert magic == _REQUEST, f"no request of NBD: {magic:x}"
        data = _receive(client, length) if kind == _WRITE else b""
        error, answer = 0, b""
        with self._lock:
            if self._client is not client:
                return False
            if kind == _READ:
                answer = os.pread(self._fd, length, offset)
            elif kind == _WRITE:
                before = os.pread(self._fd, length, offset)
                self._unflushed.append(_Write(offset, before, data, bool(flags & _FUA)))
                os.pwrite(self._fd, data, offset)
            elif kind == _FLUSH:
                self._unflushed.clear()
                self.flushes += 1
            elif kind == _DISCONNECT:
                return False
            else:
                error = _INVALID
        client.sendall(struct.pack(">IIQ", _ANSWER, error, handle) + answer)
        return True


def _receive(client: socket.socket, length: int) -> bytes:
    parts = []
    while length:
        part = client.recv(min(length, 1 << 20))
        if not part:
            raise EOFError
        parts.append(part)
        length -= len(part)
    return b"".join(parts)
