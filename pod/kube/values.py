"""Values that a container gets from elsewhere: config maps, secrets, fields of the pod, and $(NAME) in texts."""

from __future__ import annotations

import base64
import binascii

from pod.kube.fields import KubeError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from pod.kube.documents import Document
    from pod.kube.fields import Fields


class Source:
    """The content of a ConfigMap or Secret: bytes by key."""

    def __init__(self, name: str, content: Mapping[str, bytes]) -> None:
        self.name, self.content = name, content


def config_map(document: Document) -> Source:
    fields = document.fields
    fields.ignore("", "immutable")
    content = {key: value.encode() for key, value in fields.pairs("data").items()}
    content |= _decoded(fields, "binaryData")
    fields.end()
    return Source(document.name, content)


def secret(document: Document) -> Source:
    """`type` says what is in it, which makes no difference here."""
    fields = document.fields
    fields.ignore("", "immutable", "type")
    content = _decoded(fields, "data")
    content |= {key: value.encode() for key, value in fields.pairs("stringData").items()}
    fields.end()
    return Source(document.name, content)


def _decoded(fields: Fields, key: str) -> dict[str, bytes]:
    content = {}
    for name, text in fields.pairs(key).items():
        try:
            content[name] = base64.b64decode("".join(text.split()), validate=True)
        except (binascii.Error, ValueError):
            fields.wrong(f"'{key}.{name}' is not base64", key, hint="echo -n VALUE | base64")
    return content


class Sources:
    """All that containers of these documents can refer to.

    `stored` finds a secret that an earlier `kube play` has left in the store: the bytes of its document, or None.
    """

    def __init__(self, stored: Callable[[str], Source | None]) -> None:
        self.config_maps: dict[str, Source] = {}
        self.secrets: dict[str, Source] = {}
        self._stored = stored

    def find(self, fields: Fields, kind: str, name: str, *, optional: bool) -> Source | None:
        """The ConfigMap or Secret of that name. Raises KubeError unless it may be missing."""
        found = (
            self.config_maps.get(name)
            if kind == "ConfigMap"
            else self.secrets.get(name) or self._stored(name)
        )
        if found is None and not optional:
            fields.wrong(
                f"there is no {kind} '{name}'",
                hint="pod kube play --configmap FILE has more of them" if kind == "ConfigMap"
                else "put the Secret before it, or play its file first",
            )  # fmt: skip
        return found


def environment(fields: Fields, sources: Sources, downward: Mapping[str, str]) -> dict[str, str]:
    """`env` and `envFrom` of a container, of which `env` wins; $(NAME) in them is replaced."""
    found: dict[str, str] = {}
    for one in fields.tables("envFrom"):
        prefix = one.text("prefix")
        for key, kind in (("configMapRef", "ConfigMap"), ("secretRef", "Secret")):
            if not one.has(key):
                continue
            reference = one.table(key)
            source = sources.find(
                reference, kind, reference.needed("name"), optional=reference.truth("optional")
            )
            reference.end()
            for name, value in (source.content if source else {}).items():
                found[prefix + name] = _text(reference, name, value)
        one.end()
    for one in fields.tables("env"):
        name = one.needed("name")
        if "=" in name or "\0" in name:
            one.wrong(f"'{name}' is not the name of a variable", "name")
        if one.has("valueFrom"):
            if one.has("value"):
                one.wrong(f"variable '{name}' has a value and a valueFrom; only one can hold")
            taken = _value_from(one.table("valueFrom"), sources, downward)
            if taken is not None:
                found[name] = taken
        else:
            found[name] = expand(one.text("value"), found)
        one.end()
    return found


def _value_from(fields: Fields, sources: Sources, downward: Mapping[str, str]) -> str | None:
    value: str | None = None
    for key, kind in (("configMapKeyRef", "ConfigMap"), ("secretKeyRef", "Secret")):
        if not fields.has(key):
            continue
        reference = fields.table(key)
        optional, wanted = reference.truth("optional"), reference.needed("key")
        source = sources.find(reference, kind, reference.needed("name"), optional=optional)
        reference.end()
        if source is not None and wanted not in source.content and not optional:
            keys = ", ".join(source.content) or "none"
            reference.wrong(f"{kind} '{source.name}' has no key '{wanted}'; it has {keys}", "key")
        if source is not None and wanted in source.content:
            value = _text(reference, wanted, source.content[wanted])
    if fields.has("fieldRef"):
        reference = fields.table("fieldRef")
        reference.ignore("", "apiVersion")
        path = reference.needed("fieldPath")
        reference.end()
        if path not in downward:
            reference.wrong(
                f"'{path}' is not a field that a container can be told of here; what can be: "
                f"{', '.join(key for key in downward if '[' not in key)}",
                "fieldPath",
            )
        value = downward[path]
    fields.refuse("limits are not told to containers", "resourceFieldRef")
    fields.end()
    return value


def _text(fields: Fields, name: str, value: bytes) -> str:
    try:
        text = value.decode()
    except UnicodeDecodeError:
        text = "\0"
    if "\0" in text:
        fields.wrong(f"the value of '{name}' is not a text, so that no variable can have it")
    return text


def expand(text: str, variables: Mapping[str, str]) -> str:
    """$(NAME) becomes the variable's value; $$(NAME) stays, as $(NAME), and so does one that is not known."""
    out, rest = "", text
    while True:
        before, dollar, after = rest.partition("$")
        out += before
        if not dollar:
            return out
        if after.startswith("$"):
            out, rest = out + "$", after[1:]
            continue
        name, closing, behind = after[1:].partition(")")
        if after.startswith("(") and closing and name in variables:
            out, rest = out + variables[name], behind
        else:
            out, rest = out + "$", after


def stored_secret(data: bytes, name: str) -> Source:
    """A secret of the store as a Source: the document that an earlier `kube play` has put there, else its bytes.

    One of `pod secret create` has one key, of its own name.
    """
    from pod.kube import documents, fields

    try:
        for document in documents.read(data, f"secret '{name}'", fields.Notes()):
            if document.kind == "Secret":
                return secret(document)
    except KubeError:
        pass
    return Source(name, {name: data})
