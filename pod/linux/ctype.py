"""The types of C that system calls need, from `_ctypes`, the C half of the module `ctypes`.

`ctypes` itself adds names for other systems, callbacks and pointers, which cost 3 to 5 ms of every process that starts
a container. Only what is needed here has the same name and meaning as there.
"""

# ruff: noqa: N801  the names that ctypes gives them

from __future__ import annotations

import _ctypes
from _ctypes import Structure, addressof, byref, get_errno, sizeof

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    _Simple = _ctypes._SimpleCData[Any]
else:
    _Simple = _ctypes._SimpleCData

__all__ = ("Structure", "addressof", "byref", "get_errno", "sizeof")


class c_ushort(_Simple):
    _type_ = "H"


class c_int(_Simple):
    _type_ = "i"


class c_uint(_Simple):
    _type_ = "I"


class c_long(_Simple):
    _type_ = "l"


class c_ulong(_Simple):
    _type_ = "L"


class c_uint64(_Simple):
    _type_ = "Q"


c_size_t = c_ulong  # on all that Linux runs on


class c_char(_Simple):
    _type_ = "c"


class c_char_p(_Simple):
    _type_ = "z"


class c_void_p(_Simple):
    _type_ = "P"


class _Function(_ctypes.CFuncPtr):
    _flags_ = _ctypes.FUNCFLAG_CDECL | _ctypes.FUNCFLAG_USE_ERRNO
    _restype_ = c_int


class _PythonFunction(_ctypes.CFuncPtr):
    """It is called with the lock of the interpreter."""

    _flags_ = _ctypes.FUNCFLAG_CDECL | _ctypes.FUNCFLAG_USE_ERRNO | _ctypes.FUNCFLAG_PYTHONAPI
    _restype_ = c_int


class Program:
    """The functions of this process, by name, a new one each time; errno is kept for `get_errno`."""

    def __init__(self, *, keeps_lock: bool = False) -> None:
        open_library: Any = _ctypes.dlopen  # its declaration lacks None, for the process itself
        self._handle = open_library(None, 0)
        self._kind: Any = _PythonFunction if keeps_lock else _Function

    def __getitem__(self, name: str) -> Any:
        return self._kind((name, self))


def create_string_buffer(data: bytes) -> Any:
    """Memory with these bytes, and no zero behind them."""
    buffer: Any = (c_char * len(data))()
    buffer.raw = data
    return buffer
