"""Contents of secrets, and those that log in to servers while a context or a source of ADD is fetched.

Source: docs.docker.com "Build secrets": GIT_AUTH_TOKEN and GIT_AUTH_HEADER, of which those with .HOST behind count for
that host alone; HTTP_AUTH_TOKEN_HOST and HTTP_AUTH_HEADER_HOST. Nothing of them is in a cache key or on a command line.
"""

from __future__ import annotations

import os

from pod.base import files
from pod.base.errors import PodError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

    from pod.build.options import SecretSource


def content_of(secret: SecretSource) -> bytes:
    """What is in a secret now."""
    if secret.kind == "env":
        return os.environ.get(secret.source, "").encode("utf-8", "surrogateescape")
    return files.read_bytes(secret.source)


def for_git(secrets: Iterable[SecretSource], host: str) -> str:
    """What the header Authorization says to a git server; "" for nothing."""
    known = {it.id: it for it in secrets}
    for end in (f".{host}", ""):
        if f"GIT_AUTH_HEADER{end}" in known:
            return _line(known[f"GIT_AUTH_HEADER{end}"])
        if f"GIT_AUTH_TOKEN{end}" in known:
            import base64  # heavy

            token = _line(known[f"GIT_AUTH_TOKEN{end}"])
            # The name that git hosts take for a token, which has no user.
            pair = base64.b64encode(f"x-access-token:{token}".encode()).decode()
            return f"Basic {pair}"
    return ""


def for_http(secrets: Iterable[SecretSource], host: str) -> str:
    """The same for what an http(s) address is on."""
    known = {it.id: it for it in secrets}
    if f"HTTP_AUTH_HEADER_{host}" in known:
        return _line(known[f"HTTP_AUTH_HEADER_{host}"])
    if f"HTTP_AUTH_TOKEN_{host}" in known:
        return f"Bearer {_line(known[f'HTTP_AUTH_TOKEN_{host}'])}"
    return ""


def _line(secret: SecretSource) -> str:
    text = content_of(secret).decode("utf-8", "surrogateescape").strip()
    if not text.isprintable() or not text.isascii():
        raise PodError(f"the secret '{secret.id}' is no line of text, which logging in takes")
    return text
