"""Environment variables, labels and annotations: the grammars of -e, --env-file, --env-merge, -l, --label-file, and how
they are put together.

The caller's environment comes in as a mapping and files as text, so that nothing here depends on where it runs. Source:
podman-run(1), "Environment" and those options; docker's reference, "Set environment variables".
"""

from __future__ import annotations

from pod.base.errors import InvalidValue

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

PROXY_NAMES = ("http_proxy", "https_proxy", "ftp_proxy", "no_proxy")
_BLANKS = " \t\v\f\r"
_NAME_CHARACTERS = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_")


def parse_env(texts: Iterable[str], caller: Mapping[str, str]) -> dict[str, str]:
    """All `-e` values: 'NAME=VALUE', 'NAME' for the caller's value if it has one, 'PREFIX*' for all that begin so."""
    environment: dict[str, str] = {}
    for text in texts:
        _check(text, "--env", text)
        environment.update(_one(text, caller))
    return environment


def parse_env_file(contents: str, path: str, caller: Mapping[str, str]) -> dict[str, str]:
    """The variables of an `--env-file`, one a line as for -e.

    Empty lines and those that begin with # are passed over, as are blanks before a name. Nothing else is special:
    quotes and blanks belong to the value. A name has no blanks.
    """
    environment: dict[str, str] = {}
    for number, line in _lines(contents):
        name = line.partition("=")[0]
        what = f"line {number} of '{path}'"
        if any(blank in name for blank in _BLANKS):
            raise InvalidValue(
                what,
                line,
                "a name has no blanks; it is NAME=VALUE, without 'export' and without quotes",
            )
        _check(line, what, line)
        environment.update(_one(line, caller))
    return environment


def proxy_environment(caller: Mapping[str, str]) -> dict[str, str]:
    """The proxy variables that the caller has, in both spellings (--http-proxy)."""
    names = [spelling for name in PROXY_NAMES for spelling in (name, name.upper())]
    return {name: caller[name] for name in names if name in caller}


def merge_environment(
    defaults: Mapping[str, str],
    image: Iterable[str],
    *asked: Mapping[str, str],
    merges: Iterable[str] = (),
    unset: Iterable[str] = (),
    unset_all: bool = False,
) -> dict[str, str]:
    """The container's environment: `defaults`, then the image's 'NAME=VALUE' entries, then each of `asked` in order.

    The order of `asked` is: proxies, --env-host, --env-file, --env. What --unsetenv names, or with --unsetenv-all
    everything, is taken away before `asked`, and `merges` (--env-merge, 'NAME=text with ${OTHER}') are filled in from
    what is there then.
    """
    environment = {} if unset_all else {**defaults, **image_environment(image)}
    for name in unset:
        environment.pop(name, None)
    before = dict(environment)
    for text in merges:
        name, equals, value = text.partition("=")
        _check(text, "--env-merge", name)
        if not equals:
            raise InvalidValue(
                "--env-merge", text, "NAME=VALUE, where ${OTHER} is the image's value"
            )
        environment[name] = expand(value, before)
    for layer in asked:
        environment.update(layer)
    return environment


def image_environment(entries: Iterable[str]) -> dict[str, str]:
    """The `Env` of an image config. An entry without = is an empty variable; one without a name is left out."""
    pairs = (entry.partition("=") for entry in entries)
    return {name: value for name, _, value in pairs if name}


def expand(text: str, values: Mapping[str, str]) -> str:
    """`text` with $NAME and ${NAME} replaced; by nothing when there is no such value. A lone $ stays."""
    parts = []
    position = 0
    while (start := text.find("$", position)) >= 0:
        parts.append(text[position:start])
        end = text.find("}", start) if text.startswith("${", start) else -1
        if end > 0:
            parts.append(values.get(text[start + 2 : end], ""))
            position = end + 1
            continue
        position = start + 1
        while position < len(text) and text[position] in _NAME_CHARACTERS:
            position += 1
        name = text[start + 1 : position]
        parts.append(values.get(name, "") if name else "$")
    parts.append(text[position:])
    return "".join(parts)


def as_entries(environment: Mapping[str, str]) -> tuple[str, ...]:
    """'NAME=VALUE' for each variable, in order, as the OCI configuration has them."""
    return tuple(f"{name}={value}" for name, value in environment.items())


def parse_labels(texts: Iterable[str], option: str = "--label") -> dict[str, str]:
    """All `-l` values: 'KEY=VALUE', or 'KEY' for an empty one."""
    labels: dict[str, str] = {}
    for text in texts:
        key, _, value = text.partition("=")
        if not key.strip():
            raise InvalidValue(option, text, "KEY=VALUE or KEY")
        labels[key] = value
    return labels


def parse_label_file(contents: str, path: str) -> dict[str, str]:
    """The labels of a `--label-file`, one a line; comments and empty lines as in an --env-file."""
    labels: dict[str, str] = {}
    for number, line in _lines(contents):
        labels.update(parse_labels([line], f"line {number} of '{path}'"))
    return labels


def parse_annotations(texts: Iterable[str]) -> dict[str, str]:
    """All `--annotation` values: 'KEY=VALUE'."""
    annotations: dict[str, str] = {}
    for text in texts:
        key, equals, value = text.partition("=")
        if not key or not equals:
            raise InvalidValue("--annotation", text, "KEY=VALUE")
        annotations[key] = value
    return annotations


def _one(text: str, caller: Mapping[str, str]) -> dict[str, str]:
    name, equals, value = text.partition("=")
    if equals:
        return {name: value}
    if name.endswith("*"):
        prefix = name.removesuffix("*")
        return {known: caller[known] for known in sorted(caller) if known.startswith(prefix)}
    return {name: caller[name]} if name in caller else {}


def _check(text: str, what: str, shown: str) -> None:
    if not text.partition("=")[0]:
        raise InvalidValue(what, shown, "NAME=VALUE or NAME; the name is missing")
    if "\0" in text:
        raise InvalidValue(what, shown, "a variable has no NUL byte")


def _lines(contents: str) -> Iterator[tuple[int, str]]:
    """(number, line) of what is neither empty nor a comment, without blanks before and the line's end."""
    # Not splitlines(): it would also end a line at a form feed, or at U+2028 inside a value.
    for number, raw in enumerate(contents.removeprefix("\ufeff").split("\n"), 1):
        line = raw.removesuffix("\r").lstrip(_BLANKS)
        if line and not line.startswith("#"):
            yield number, line
