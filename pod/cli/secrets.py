"""What the commands of `pod secret` and `pod config` do alike: create, list, inspect and remove; `kind` is the word."""

from __future__ import annotations

import os
import sys

from pod.base.errors import PodError, UsageError
from pod.cli.declare import Option

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import Any

    from pod.cli.declare import Arguments
    from pod.engine.context import Engine
    from pod.state.secrets import Secret

LABEL = Option(("-l", "--label"), "list", "Label to give it", metavar="KEY=VALUE")
FILTER = Option(
    ("-f", "--filter"),
    "list",
    "Only those for which this holds: id=, label= or name=",
    metavar="KEY=VALUE",
)
FORMAT = Option(("--format",), "text", "Show them as JSON, or by a Go template", metavar="FORMAT")
QUIET = Option(("-q", "--quiet"), "flag", "Show only ids")
_FILTERS = ("id", "label", "name")


def labels(arguments: Arguments) -> dict[str, str]:
    found = {}
    for text in arguments.texts("label"):
        key, _, value = text.partition("=")
        if not key:
            raise UsageError(f"invalid argument '{text}' for '--label': KEY=VALUE is expected")
        found[key] = value
    return found


def read_content(path: str, kind: str) -> bytes:
    """The content of a file, or for "-" of standard input; no more than one byte too many is read."""
    from pod.engine import secrets

    most = secrets.most_bytes(kind) + 1
    if path == "-":
        from pod.cli.streams import check_input

        fd = check_input(f"the content of a {kind}")
    else:
        try:
            fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        except OSError as error:
            raise PodError(f"'{path}' cannot be read: {(error.strerror or '').lower()}") from error
    data = b""
    try:
        while len(data) < most and (part := os.read(fd, most - len(data))):
            data += part
    except OSError as error:
        raise PodError(f"'{path}' cannot be read: {(error.strerror or '').lower()}") from error
    finally:
        if path != "-":
            os.close(fd)
    return data


def show_list(arguments: Arguments, engine: Engine, kind: str, columns: tuple[str, ...]) -> None:
    """`ls`."""
    from pod.engine import secrets

    form = arguments.text("format")
    if arguments.flag("quiet") and form:
        raise UsageError("--quiet and --format exclude each other")
    found = _chosen(secrets.store(engine, kind).all(), arguments.texts("filter"))
    if arguments.flag("quiet"):
        print("".join(f"{it.id}\n" for it in found), end="")
        return
    from pod.cli.output import Listing, show

    show(
        Listing(columns, {"CreatedAt": "CREATED", "UpdatedAt": "UPDATED"}),
        [_row(it, kind) for it in found],
        form,
        noheading="noheading" in _names(arguments) and arguments.flag("noheading"),
        documents=lambda: [_document(it, kind) for it in found],
    )


def _names(arguments: Arguments) -> set[str]:
    return {spelling.lstrip("-") for spelling in arguments.spellings()}


def _chosen(found: list[Secret], filters: Iterable[str]) -> list[Secret]:
    """Values of one key are alternatives, labels must all be there."""
    wanted: dict[str, list[str]] = {}
    for text in filters:
        key, equals, value = text.partition("=")
        if key not in _FILTERS or not equals:
            raise UsageError(
                f"invalid argument '{text}' for '--filter': KEY=VALUE is expected, "
                f"and the keys are {', '.join(_FILTERS)}"
            )
        wanted.setdefault(key, []).append(value)

    def holds(it: Secret) -> bool:
        for text in wanted.get("label", ()):
            key, equals, value = text.partition("=")
            if key not in it.labels or (equals and it.labels[key] != value):
                return False
        by_id, by_name = wanted.get("id"), wanted.get("name")
        if by_id is not None and not any(it.id.startswith(value) for value in by_id):
            return False
        return by_name is None or any(_matches(it.name, value) for value in by_name)

    return [it for it in found if holds(it)]


def _matches(name: str, pattern: str) -> bool:
    import re  # heavy

    try:
        return re.search(pattern, name) is not None
    except re.error as error:
        raise UsageError(
            f"invalid argument 'name={pattern}' for '--filter': {error} in the regular expression"
        ) from error


def _row(it: Secret, kind: str) -> dict[str, Any]:
    from pod.cli.human import ago

    return _document(it, kind) | {
        "CreatedAt": ago(it.created_ns),
        "UpdatedAt": ago(it.updated_ns),
        "Label": lambda key: it.labels.get(key, ""),
        "Labels": ",".join(f"{key}={value}" for key, value in it.labels.items()),
    }


def _document(it: Secret, kind: str) -> dict[str, Any]:
    from pod.base.times import rfc3339

    spec: dict[str, Any] = {"Name": it.name, "Labels": dict(it.labels)}
    found = {
        "ID": it.id,
        "Name": it.name,
        "CreatedAt": rfc3339(it.created_ns, local=True),
        "UpdatedAt": rfc3339(it.updated_ns, local=True),
        "Spec": spec,
    }
    if kind == "secret":
        spec["Driver"] = {"Name": it.driver, "Options": dict(it.options)}
        found["Driver"] = it.driver
    return found


def show_inspected(arguments: Arguments, engine: Engine, kind: str) -> int:
    """`inspect`."""
    from pod.cli.several import for_each
    from pod.engine import secrets

    form, pretty = arguments.text("format"), arguments.flag("pretty")
    if form and pretty:
        raise UsageError("--format and --pretty exclude each other")
    shows = kind == "config" or arguments.flag("showsecret")
    documents: list[dict[str, Any]] = []
    texts: list[str] = []

    def find(name: str) -> None:
        it = secrets.store(engine, kind).find(name)
        document = _document(it, kind)
        del document["Name"]
        document.pop("Driver", None)
        if shows:
            data = secrets.content(engine, it, kind)
            if kind == "secret":
                document["SecretData"] = data.decode("utf-8", "surrogateescape")
            else:
                from base64 import b64encode

                document["Spec"]["Data"] = b64encode(data).decode()
        documents.append(document)
        texts.append(_pretty(it, data if shows else None))

    status = for_each(arguments.words, find)
    if pretty:
        sys.stdout.write("".join(texts))
    elif documents or not form:
        from pod.cli.output import show_documents

        show_documents(documents, form)
    return status


def _pretty(it: Secret, data: bytes | None) -> str:
    from pod.base.log import visible
    from pod.cli.human import go_time

    lines = [f"ID:              {it.id}", f"Name:            {visible(it.name)}"]
    if it.labels:
        lines.append("Labels:")
        lines += [f" - {visible(key)}={visible(value)}" for key, value in it.labels.items()]
    lines += [
        f"Driver:          {it.driver}",
        f"Created at:      {go_time(it.created_ns)}",
        f"Updated at:      {go_time(it.updated_ns)}",
    ]
    if data is not None:
        lines += ["Data:", data.decode("utf-8", "surrogateescape")]
    return "\n".join(lines) + "\n"


def remove(arguments: Arguments, engine: Engine, kind: str) -> int:
    """`rm`."""
    from pod.cli.several import for_each
    from pod.engine import secrets
    from pod.state.secrets import NoSuchSecret

    at = secrets.store(engine, kind)
    names = arguments.words
    ignores = kind == "secret" and arguments.flag("ignore")
    if kind == "secret" and arguments.flag("all"):
        if names:
            raise UsageError(f"--all excludes a name, '{names[0]}'")
        names = [it.id for it in at.all()]
    elif not names:
        raise UsageError(
            f"`{arguments.spelling}` needs the name of a {kind}"
            + (", or --all" if kind == "secret" else ""),
            hint=f"{arguments.spelling} --help",
        )

    def do(name: str) -> str | None:
        try:
            secret = at.find(name)
        except NoSuchSecret:
            if ignores:
                return None
            raise
        if not secrets.remove(engine, secret, kind) and not ignores:
            raise NoSuchSecret(kind, name)
        return secret.id

    return for_each(names, do)
