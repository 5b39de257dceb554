"""Errors of the operating system that tell about the machine and not about a defect of pod, as sentences."""

from __future__ import annotations

import errno

_HINTS: dict[int, str | None] = {
    errno.EACCES: None,
    errno.EPERM: None,
    errno.EROFS: None,
    errno.EIO: None,
    errno.ELOOP: None,
    errno.ENAMETOOLONG: None,
    errno.ENOTDIR: None,
    errno.EISDIR: None,
    errno.ENOENT: None,
    errno.ESTALE: None,
    errno.ENOSPC: "pod system df",
    errno.EDQUOT: "pod system df",
    errno.EMFILE: "ulimit -n shows how many files a process may open",
    errno.ENFILE: None,
    errno.ENOMEM: None,
    errno.EAGAIN: "ulimit -u shows how many processes you may have",
    errno.EFBIG: "ulimit -f shows how large a file may become",
}


def describe(error: OSError) -> tuple[str, str | None] | None:
    """A sentence and a hint, or nothing when no setting of the machine explains `error`."""
    if error.errno not in _HINTS:
        return None
    if error.filename is None:
        if error.errno in (errno.ENOENT, errno.ENOTDIR, errno.EISDIR, errno.ELOOP):
            return None  # about a file that nobody names: a defect
        return _reason(error), _HINTS[error.errno]
    names = f"'{_text(error.filename)}'"
    if error.filename2 is not None:
        names += f" and '{_text(error.filename2)}'"
    return f"{names}: {_reason(error)}", _HINTS[error.errno]


def _reason(error: OSError) -> str:
    reason = error.strerror or str(error)
    return reason[:1].lower() + reason[1:]


def _text(name: object) -> str:
    return name.decode("utf-8", "surrogateescape") if isinstance(name, bytes) else str(name)
