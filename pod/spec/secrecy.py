"""Names that tell a secret: those of files that programs keep private keys and passwords in, and of variables.

A short list on purpose: what it says is worth reading. pod-commit(1) has it for people.
"""

from __future__ import annotations

_FILE_NAMES = frozenset(
    (
        "id_rsa id_dsa id_ecdsa id_ed25519 .netrc .pgpass .git-credentials .npmrc .pypirc .htpasswd credentials.json"
    ).split()
)
_FILE_ENDS = (".key", ".p12", ".pfx", ".kdbx")
_PATH_ENDS = (
    "/.aws/credentials",
    "/.docker/config.json",
    "/.kube/config",
    "/containers/auth.json",
)
_VARIABLE_WORDS = ("PASSWORD", "PASSWD", "SECRET", "TOKEN", "API_KEY", "APIKEY", "PRIVATE_KEY")


def is_secret_file(path: str) -> bool:
    """Whether a file of this name usually has a private key or a password in it."""
    name = path.rpartition("/")[2]
    return name in _FILE_NAMES or name.endswith(_FILE_ENDS) or path.endswith(_PATH_ENDS)


def is_secret_variable(name: str) -> bool:
    """Whether a variable of this name usually has a password or a key for its value; "..._FILE" says where one is."""
    upper = name.upper()
    return not upper.endswith("_FILE") and any(word in upper for word in _VARIABLE_WORDS)
