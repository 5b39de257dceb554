"""A proxy in front of a server on loopback that counts bytes, and ends each connection when it has brought so many."""

from __future__ import annotations

import contextlib
import socket
import threading


class DroppingProxy:
    """Passes each connection on to `port`, and ends it after `limit` bytes towards the client, or `up_limit` bytes
    from it; 0 is no limit. A context manager.

    `down` and `up` count all bytes that were passed on, `dropped` the connections that were ended.
    """

    def __init__(self, port: int, limit: int = 0, *, up_limit: int = 0) -> None:
        self.down = self.up = self.dropped = 0
        self._target = ("127.0.0.1", port)
        self._limits = (limit, up_limit)
        self._lock = threading.Lock()
        self._open: set[socket.socket] = set()
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.host = f"127.0.0.1:{self._listener.getsockname()[1]}"
        self._threads = [threading.Thread(target=self._accept, daemon=True)]
        self._threads[0].start()

    def __enter__(self) -> DroppingProxy:
        return self

    def __exit__(self, *_: object) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        with self._lock:
            for one in self._open:
                with contextlib.suppress(OSError):
                    one.shutdown(socket.SHUT_RDWR)
        for thread in self._threads:
            thread.join(20)
        for one in self._open:
            one.close()

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            server = socket.create_connection(self._target)
            with self._lock:
                self._open |= {client, server}
            ends = [
                threading.Thread(target=self._pass, args=(server, client, 0), daemon=True),
                threading.Thread(target=self._pass, args=(client, server, 1), daemon=True),
            ]
            self._threads += ends
            for end in ends:
                end.start()

    def _pass(self, source: socket.socket, target: socket.socket, way: int) -> None:
        left = limit = self._limits[way]
        try:
            while data := source.recv(min(left, 65536) if limit else 65536):
                target.sendall(data)
                with self._lock:
                    if way:
                        self.up += len(data)
                    else:
                        self.down += len(data)
                left -= len(data)
                if limit and not left:
                    with self._lock:
                        self.dropped += 1
                    break
        except OSError:
            pass  # the other direction has ended it
        for one in (source, target):
            with contextlib.suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)
