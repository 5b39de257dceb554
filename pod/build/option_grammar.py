"""The grammars of `pod build` alone: --secret, --ssh, --build-context, --output, --cache-from and --cache-to.

Source: podman-build(1), docker-buildx-build(1). What a value names on this machine is looked for here, so that a typing
error is said before anything is built.
"""

from __future__ import annotations

import os

from pod.base.errors import InvalidValue, Unsupported
from pod.build import git
from pod.build.options import CacheStore, NamedContext, Output, SecretSource, SshSource

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping

    from pod.build.options import OutputKind

_SECRET = "id=ID,src=FILE or id=ID,env=VARIABLE"
_SSH = "ID, or ID=SOCKET, or ID=KEY[,KEY...]; the usual ID is default"
_CONTEXT = (
    "NAME=DIRECTORY, NAME=docker-image://IMAGE, NAME=oci-layout://DIRECTORY[:TAG], or NAME=ADDRESS"
)
_OUTPUT = (
    "DIRECTORY, -, or type=TYPE,dest=PATH with one of the types local, tar, oci, docker, image"
)
_CACHE_FROM = "REPOSITORY, type=registry,ref=REPOSITORY or type=local,src=DIRECTORY"
_CACHE_TO = (
    "REPOSITORY, type=registry,ref=REPOSITORY[,mode=max], type=local,dest=DIRECTORY or type=inline"
)
_IMAGE_SCHEMES = ("docker-image://", "container-image://", "docker://")
_NAME_LETTERS = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_.-/:@")
_OTHER_CACHES = ("azblob", "gha", "s3")
_TYPES: dict[str, OutputKind] = {
    "local": "local",
    "tar": "tar",
    "oci": "oci",
    "docker": "docker",
    "image": "image",
    "registry": "image",
    "cacheonly": "none",
}


def parse_secret(text: str, caller: Mapping[str, str]) -> SecretSource:
    """One --secret. Without a source the id is the name of a variable of the caller, or of a file."""
    option = "--secret"
    given = _pairs(option, text, _SECRET, ("id", "src", "source", "env", "type"), bare="id")
    name = given.get("id", "")
    if not name or "/" in name or name in {".", ".."}:
        raise InvalidValue(option, text, f"an id without slashes is missing: {_SECRET}")
    kind = given.get("type", "")
    if kind not in {"", "file", "env"}:
        raise InvalidValue(option, text, f"type is file or env: {_SECRET}")
    path = given.get("src", given.get("source", ""))
    variable = given.get("env", "")
    if path and variable:
        raise InvalidValue(option, text, f"either src or env: {_SECRET}")
    if kind == "env":
        variable, path = variable or path or name, ""
    elif not path and not variable:
        if name in caller and kind != "file":
            variable = name
        else:
            path = name
    if variable:
        if variable not in caller:
            raise InvalidValue(option, text, f"the variable '{variable}' is not set")
        return SecretSource(name, "env", variable)
    path = _absolute(path)
    if not os.path.isfile(path) or not os.access(path, os.R_OK):
        raise InvalidValue(option, text, f"the file '{path}' cannot be read: {_SECRET}")
    return SecretSource(name, "file", path)


def parse_ssh(text: str, caller: Mapping[str, str]) -> SshSource:
    """One --ssh; an id alone means the caller's agent."""
    option = "--ssh"
    name, equals, rest = text.partition("=")
    if not name or (equals and not rest) or "/" in name:
        raise InvalidValue(option, text, _SSH)
    if not rest:
        socket = caller.get("SSH_AUTH_SOCK", "")
        if not socket:
            raise InvalidValue(option, text, f"no agent runs: SSH_AUTH_SOCK is not set; {_SSH}")
        rest = socket
    paths = tuple(_absolute(path) for path in rest.split(","))
    for path in paths:
        if not os.path.exists(path) or os.path.isdir(path):
            raise InvalidValue(option, text, f"'{path}' is no socket and no key: {_SSH}")
    return SshSource(name, paths)


def parse_context(text: str) -> NamedContext:
    """One --build-context."""
    option = "--build-context"
    name, equals, value = text.partition("=")
    if not name or not equals or not value or not _NAME_LETTERS.issuperset(name):
        raise InvalidValue(option, text, _CONTEXT)
    name = name.lower()
    for scheme in _IMAGE_SCHEMES:
        if value.startswith(scheme):
            reference = value.removeprefix(scheme)
            if not reference:
                raise InvalidValue(option, text, _CONTEXT)
            return NamedContext(name, "image", reference)
    if value.startswith("oci-layout://"):
        path = value.removeprefix("oci-layout://")
        if not path:
            raise InvalidValue(option, text, _CONTEXT)
        return NamedContext(name, "oci-layout", _absolute(path))
    if git.is_git(value):
        git.parse_git(value, option)
        return NamedContext(name, "git", value)
    if value.startswith(("http://", "https://")):
        return NamedContext(name, "url", value)
    path = _absolute(value)
    if not os.path.isdir(path):
        raise InvalidValue(option, text, f"'{value}' is no directory: {_CONTEXT}")
    return NamedContext(name, "directory", os.path.realpath(path))


def parse_output(text: str) -> Output:
    """One --output."""
    option = "--output"
    if text == "-":
        return Output("tar", "-")
    if text and "=" not in text.partition(",")[0] and "," not in text:
        return Output("local", _absolute(text))
    keys = ("type", "dest", "name", "push", "tar")
    given = _pairs(option, text, _OUTPUT, keys, refused=_OUTPUT_REFUSED)
    kind = _TYPES.get(given.get("type", ""))
    if kind is None:
        raise InvalidValue(option, text, _OUTPUT)
    dest = given.get("dest", "")
    if kind in {"image", "none"}:
        if dest:
            raise InvalidValue(option, text, f"type={given['type']} has no dest: {_OUTPUT}")
    elif not dest and kind == "local":
        raise InvalidValue(option, text, f"dest is missing: {_OUTPUT}")
    elif not dest and kind != "docker":
        dest = "-"  # as docker does
    if dest == "-" and kind == "local":
        raise InvalidValue(
            option, text, f"a directory is not written to standard output: {_OUTPUT}"
        )
    return Output(
        kind,
        dest if dest in {"", "-"} else _absolute(dest),
        name=given.get("name", ""),
        push=_truth(option, text, given.get("push"), default=given.get("type") == "registry"),
        tar=_truth(option, text, given.get("tar"), default=True),
    )


def parse_cache_from(text: str) -> CacheStore:
    return _parse_cache("--cache-from", text, _CACHE_FROM, "src")


def parse_cache_to(text: str) -> CacheStore:
    return _parse_cache("--cache-to", text, _CACHE_TO, "dest")


def parse_arguments(texts: Iterable[str], option: str, caller: Mapping[str, str]) -> dict[str, str]:
    """NAME=VALUE, or NAME alone for the value that the caller has; one that it has not is left out."""
    found: dict[str, str] = {}
    for text in texts:
        name, equals, value = text.partition("=")
        if not name or not name.isprintable() or any(letter.isspace() for letter in name):
            raise InvalidValue(option, text, "NAME=VALUE, or NAME for the value of that variable")
        if equals:
            found[name] = value
        elif name in caller:
            found[name] = caller[name]
    return found


def parse_argument_file(contents: str, path: str) -> dict[str, str]:
    """NAME=VALUE a line; empty lines and those that begin with # say nothing (podman-build(1), --build-arg-file)."""
    found: dict[str, str] = {}
    for number, line in enumerate(contents.splitlines(), 1):
        text = line.strip()
        if not text or text.startswith("#"):
            continue
        name, equals, value = text.partition("=")
        if not equals or not name:
            raise InvalidValue(
                "--build-arg-file", text, f"line {number} of '{path}' is not NAME=VALUE"
            )
        found[name] = value
    return found


def _parse_cache(option: str, text: str, grammar: str, key: str) -> CacheStore:
    if text and "=" not in text:
        return CacheStore("registry", _repository(option, text, text, grammar))
    given = _pairs(option, text, grammar, ("type", "ref", key, "mode"), refused=_CACHE_REFUSED)
    kind = given.get("type", "registry" if "ref" in given else "")
    if kind in _OTHER_CACHES:
        raise Unsupported(f"{option} type={kind}", "pod keeps caches in registries and directories")
    mode = given.get("mode", "min")
    if mode not in {"min", "max"}:
        raise InvalidValue(option, text, "mode is min or max")
    whole = mode == "max"
    if kind == "registry":
        place = _repository(option, text, given.get("ref", ""), grammar)
        return CacheStore("registry", place, whole=whole)
    if kind == "local":
        if not given.get(key):
            raise InvalidValue(option, text, f"{key} is missing: {grammar}")
        return CacheStore("local", _absolute(given[key]), whole=whole)
    if kind == "inline" and key == "dest":
        return CacheStore("inline", "")
    raise InvalidValue(option, text, grammar)


def _repository(option: str, text: str, reference: str, grammar: str) -> str:
    from pod.base.errors import PodError
    from pod.spec.reference import parse

    try:
        parse(reference)
    except PodError as error:
        raise InvalidValue(option, text, grammar) from error
    return reference


# Keys of docker about how something is compressed or kept.
_OUTPUT_REFUSED = {"oci-mediatypes", "unpack", "store", "compression", "force-compression"}
_CACHE_REFUSED = {"oci-mediatypes", "image-manifest", "ignore-error", "compression"}


def _pairs(
    option: str,
    text: str,
    grammar: str,
    keys: Collection[str],
    *,
    bare: str = "",
    refused: Collection[str] = (),
) -> dict[str, str]:
    """KEY=VALUE,... with each key once. A first word without "=" is the value of the key `bare`."""
    found: dict[str, str] = {}
    for position, word in enumerate(text.split(",")):
        key, equals, value = word.partition("=")
        if not equals and bare and not position:
            key, value = bare, word
        elif not equals:
            raise InvalidValue(option, text, f"'{word}' is not KEY=VALUE: {grammar}")
        key = key.strip().lower()
        if key in refused:
            raise Unsupported(f"{option} key '{key}'", "pod chooses it itself")
        if key not in keys:
            raise InvalidValue(option, text, f"'{key}' is none of {', '.join(keys)}")
        if key in found:
            raise InvalidValue(option, text, f"'{key}' is there twice")
        found[key] = value
    return found


def _truth(option: str, text: str, value: str | None, *, default: bool) -> bool:
    if value is None:
        return default
    if value.lower() not in {"true", "false", "1", "0"}:
        raise InvalidValue(option, text, f"'{value}' is not true or false")
    return value.lower() in {"true", "1"}


def _absolute(path: str) -> str:
    return os.path.abspath(os.path.expanduser(path))
