"""Messages between pod's own processes: tuples of plain values, with descriptors, over SOCK_SEQPACKET sockets.

The `socket` module turns a thousand constants into enumerations when it is imported: 5 ms and half a megabyte that
every monitor would keep. Its C half, `_socket`, has the same socket object; it is used here and in no other file.
See unix(7).
"""

from __future__ import annotations

import _socket
import fcntl
import marshal
import os
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from typing import Any

PACKET_BYTES = 1 << 16
_MAX_INLINE = (
    PACKET_BYTES - 64
)  # a longer message travels in a memfd, since one packet must fit the send buffer
_FD_BYTES = 4
_MAX_FDS = 253  # the kernel takes no more in one message, unix(7)

# The first byte of a packet says what the rest is.
MESSAGE = b"m"
LONG_MESSAGE = b"M"
STDIN = b"0"
STDOUT = b"1"
STDERR = b"2"


class Channel:
    """One end of a connection. The holder closes it."""

    def __init__(self, sock: _socket.socket) -> None:
        self._socket = sock
        self.find_process: Callable[[], int] | None = None
        """Gives the number of the process that has the other end, where somebody may have to be told of it."""

    def fileno(self) -> int:
        return self._socket.fileno()

    def close(self) -> None:
        self._socket.close()

    def await_end(self, seconds: float) -> None:
        """Wait until the other end has been closed, for so long at most."""
        from select import poll  # few need it

        waiting = poll()
        waiting.register(self._socket, 0)  # POLLHUP is always told
        waiting.poll(seconds * 1000)

    def set_blocking(self, flag: bool) -> None:
        self._socket.setblocking(flag)

    def peer(self) -> int:
        """The process that listened, or made the pair, at the other end (SO_PEERCRED, unix(7))."""
        credentials = self._socket.getsockopt(_socket.SOL_SOCKET, _socket.SO_PEERCRED, 12)
        return int.from_bytes(credentials[:4], sys.byteorder)

    def detach(self) -> int:
        """The descriptor, which the caller owns from now on; the channel is not to be used any more."""
        return self._socket.detach()

    def become(self, other: Channel) -> None:
        """Go on over the connection of `other`, which is not to be used any more; ours ends."""
        self._socket.close()
        self._socket = other._socket

    def move_above(self, number: int) -> None:
        """Have a descriptor above `number`, so that those up to it can be given another meaning."""
        fd = fcntl.fcntl(self._socket.fileno(), fcntl.F_DUPFD_CLOEXEC, number + 1)
        self.become(Channel(_socket.socket(fileno=fd)))

    def send(self, *message: Any, fds: Iterable[int] = ()) -> None:
        """Send one message: a name and values that marshal knows. The receiver gets copies of `fds`."""
        data = marshal.dumps(message)
        if len(data) <= _MAX_INLINE:
            self._send_packet(MESSAGE + data, tuple(fds))
            return
        memory = os.memfd_create("pod-message")
        try:
            view = memoryview(data)
            while view:
                view = view[os.write(memory, view) :]
            self._send_packet(LONG_MESSAGE, (memory, *fds))
        finally:
            os.close(memory)

    def send_data(self, kind: bytes, data: bytes) -> None:
        """Send a piece of a stream; `kind` is STDIN, STDOUT or STDERR. Raises BlockingIOError when it must wait."""
        self._socket.send(kind + data)

    def try_send(self, *message: object) -> bool:
        """Send a message; False when the other end is gone."""
        try:
            self.send(*message)
        except OSError:
            return False
        return True

    def receive(self) -> tuple[bytes, Any, list[int]]:
        """The next packet as (kind, value, fds); the value of MESSAGE is a tuple, of a stream kind it is bytes.

        At the end of the connection the kind is empty. The caller owns the descriptors. Raises BlockingIOError on a
        non-blocking channel that has nothing.
        """
        try:
            data, ancillary, _, _ = self._socket.recvmsg(
                PACKET_BYTES, _socket.CMSG_SPACE(_MAX_FDS * _FD_BYTES), _socket.MSG_CMSG_CLOEXEC
            )
        except ConnectionResetError:
            return b"", (), []
        fds = _received_fds(ancillary)
        kind = data[:1]
        if not kind:
            return b"", (), fds
        if kind == MESSAGE:
            return kind, marshal.loads(data[1:]), fds
        if kind == LONG_MESSAGE:
            with open(fds.pop(0), "rb") as memory:
                memory.seek(0)
                return MESSAGE, marshal.loads(memory.read()), fds
        return kind, data[1:], fds

    def _send_packet(self, data: bytes, fds: tuple[int, ...]) -> None:
        if fds:
            packed = b"".join(fd.to_bytes(_FD_BYTES, sys.byteorder) for fd in fds)
            ancillary = [(_socket.SOL_SOCKET, _socket.SCM_RIGHTS, packed)]
            self._socket.sendmsg([data], ancillary, _socket.MSG_NOSIGNAL)
        else:
            self._socket.send(data, _socket.MSG_NOSIGNAL)


class Listener:
    """A socket in the file system that other pod commands connect to. The holder closes it and removes the file."""

    def __init__(self, directory: str, name: str) -> None:
        self._socket = _socket.socket(
            _socket.AF_UNIX, _socket.SOCK_SEQPACKET | _socket.SOCK_CLOEXEC
        )
        with _Directory(directory) as short:
            mask = os.umask(0o177)
            try:
                self._socket.bind(f"{short}/{name}")
            finally:
                os.umask(mask)
        self._socket.listen(64)
        self._socket.setblocking(False)

    @classmethod
    def from_fd(cls, fd: int) -> Listener:
        """A listener that another program of this process has opened; it owns the descriptor."""
        listener = cls.__new__(cls)
        listener._socket = _socket.socket(fileno=fd)
        listener._socket.setblocking(False)
        return listener

    def fileno(self) -> int:
        return self._socket.fileno()

    def set_blocking(self, flag: bool) -> None:
        self._socket.setblocking(flag)

    def accept(self) -> Channel:
        fd, _ = self._socket._accept()  # type: ignore[attr-defined]  # missing in typeshed
        return Channel(_socket.socket(fileno=fd))

    def close(self) -> None:
        self._socket.close()


class DescriptorListener:
    """A stream socket on which another program passes one descriptor: the console socket of OCI runtimes.

    See runc's docs/terminals.md. The holder closes it, which removes the file too.
    """

    def __init__(self, directory: str, name: str) -> None:
        self._path = f"{directory}/{name}"
        self._socket = _socket.socket(_socket.AF_UNIX, _socket.SOCK_STREAM | _socket.SOCK_CLOEXEC)
        with _Directory(directory) as short:
            self._socket.bind(f"{short}/{name}")
        self._socket.listen(1)

    def take(self) -> int | None:
        """The descriptor that was passed by a program that has ended; None when there was none."""
        self._socket.setblocking(False)
        try:
            fd, _ = self._socket._accept()  # type: ignore[attr-defined]  # missing in typeshed
        except BlockingIOError:
            return None
        connection = _socket.socket(fileno=fd)
        try:
            _, ancillary, _, _ = connection.recvmsg(
                4096, _socket.CMSG_SPACE(_FD_BYTES), _socket.MSG_CMSG_CLOEXEC
            )
        finally:
            connection.close()
        fds = _received_fds(ancillary)
        return fds[0] if fds else None

    def close(self) -> None:
        self._socket.close()
        os.unlink(self._path)


def pass_descriptor(path: str, fd: int, name: str) -> None:
    """Connect to the stream socket `path` and pass `fd` with its name: the other side of DescriptorListener."""
    sock = _socket.socket(_socket.AF_UNIX, _socket.SOCK_STREAM | _socket.SOCK_CLOEXEC)
    try:
        with _Directory(os.path.dirname(path) or ".") as short:
            sock.connect(f"{short}/{os.path.basename(path)}")
        packed = fd.to_bytes(_FD_BYTES, sys.byteorder)
        ancillary = [(_socket.SOL_SOCKET, _socket.SCM_RIGHTS, packed)]
        sock.sendmsg([name.encode()], ancillary, _socket.MSG_NOSIGNAL)
    finally:
        sock.close()


class Datagrams:
    """A datagram socket in the file system, which everybody who can reach it may write to; the holder closes it."""

    def __init__(self, directory: str, name: str) -> None:
        self._path = f"{directory}/{name}"
        self._socket = _socket.socket(_socket.AF_UNIX, _socket.SOCK_DGRAM | _socket.SOCK_CLOEXEC)
        with _Directory(directory) as short:
            self._socket.bind(f"{short}/{name}")
        os.chmod(self._path, 0o666)

    @classmethod
    def from_fd(cls, fd: int, path: str) -> Datagrams:
        """The socket that another program of this process has opened; it owns the descriptor."""
        datagrams = cls.__new__(cls)
        datagrams._path = path
        datagrams._socket = _socket.socket(fileno=fd)
        return datagrams

    def fileno(self) -> int:
        return self._socket.fileno()

    def receive(self, *, wait: bool = True) -> bytes:
        """The next datagram. Raises BlockingIOError when there is none and this call may not wait."""
        return bytes(self._socket.recv(PACKET_BYTES, 0 if wait else _socket.MSG_DONTWAIT))

    def close(self) -> None:
        self._socket.close()
        os.unlink(self._path)


def send_datagram(path: str, data: bytes, *, blocking: bool = True) -> None:
    """Send to the datagram socket `path`; one that begins with "@" is in the abstract namespace, unix(7).

    Raises BlockingIOError when its queue is full, unless this call may wait.
    """
    sock = _socket.socket(_socket.AF_UNIX, _socket.SOCK_DGRAM | _socket.SOCK_CLOEXEC)
    sock.setblocking(blocking)
    try:
        sock.sendto(data, "\0" + path[1:] if path.startswith("@") else path)
    finally:
        sock.close()


def pair() -> tuple[Channel, Channel]:
    """Two connected ends."""
    left, right = _socket.socketpair(
        _socket.AF_UNIX, _socket.SOCK_SEQPACKET | _socket.SOCK_CLOEXEC, 0
    )
    return Channel(left), Channel(right)


def from_fd(fd: int) -> Channel:
    """The channel on an inherited descriptor, which it owns from now on; no program executed later gets it."""
    os.set_inheritable(fd, False)
    return Channel(_socket.socket(fileno=fd))


def connect(directory: str, name: str) -> Channel:
    """Connect to the socket `name` in `directory`. Raises OSError: no such file, or nobody listens any more."""
    sock = _socket.socket(_socket.AF_UNIX, _socket.SOCK_SEQPACKET | _socket.SOCK_CLOEXEC)
    try:
        with _Directory(directory) as short:
            sock.connect(f"{short}/{name}")
    except BaseException:
        sock.close()
        raise
    return Channel(sock)


class _Directory:
    """A short name for a directory while it is open: the path of a Unix socket may have 107 bytes, unix(7)."""

    def __init__(self, path: str) -> None:
        self._path = path
        self._fd = -1

    def __enter__(self) -> str:
        self._fd = os.open(self._path, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
        return f"/proc/self/fd/{self._fd}"

    def __exit__(self, *_: object) -> None:
        os.close(self._fd)


def _received_fds(ancillary: list[tuple[int, int, bytes]]) -> list[int]:
    fds = []
    for level, kind, data in ancillary:
        if level == _socket.SOL_SOCKET and kind == _socket.SCM_RIGHTS:
            for start in range(0, len(data) - _FD_BYTES + 1, _FD_BYTES):
                fds.append(int.from_bytes(data[start : start + _FD_BYTES], sys.byteorder))
    return fds
