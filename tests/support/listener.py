"""A server of a test on this machine's loopback, which serves each connection in a thread of its own."""

from __future__ import annotations

import socket
import threading


class Listener:
    """Accepts connections until it is closed; whoever inherits says by `serve` what becomes of one, and closes it."""

    def __init__(self) -> None:
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self._threads = [threading.Thread(target=self._accept, daemon=True)]
        self._threads[0].start()

    def close(self) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        for thread in self._threads:
            thread.join(20)

    def serve(self, client: socket.socket, number: int) -> None:
        """The connection with this number, counted from 0 in the order of coming."""
        raise NotImplementedError

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            arguments = (client, len(self._threads) - 1)
            self._threads.append(threading.Thread(target=self.serve, args=arguments, daemon=True))
            self._threads[-1].start()
