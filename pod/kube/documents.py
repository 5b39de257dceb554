"""The documents of a YAML text: which there are, in order, each with its kind and name."""

from __future__ import annotations

from pod.kube.fields import Fields, KubeError, Notes
from pod.spec import yaml_text

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any

# Kinds, with the versions of their interface.
KINDS = {
    "Pod": ("v1",),
    "ConfigMap": ("v1",),
    "Secret": ("v1",),
    "PersistentVolumeClaim": ("v1",),
    "Deployment": ("apps/v1",),
    "DaemonSet": ("apps/v1",),
    "Job": ("batch/v1",),
}
# What has a meaning in a cluster alone, with the reason why leaving it out changes nothing here.
_WITHOUT_EFFECT = {
    "Service": "the ports of pods are published by hostPort, and pods find each other by name",
    "Namespace": "one machine has one",
    "ServiceAccount": "there is no API server to log in to",
    "Ingress": "there is no router in front of pods",
    "NetworkPolicy": "pods are kept apart by networks: --network",
}
_MOST_NAME = 253
_NAME_CHARACTERS = frozenset("abcdefghijklmnopqrstuvwxyz0123456789-.")


class Document:
    """One document: `fields` is its table, of which kind, apiVersion and metadata have been read."""

    def __init__(self, fields: Fields) -> None:
        self.fields = fields
        self.kind = fields.needed("kind")
        self.version = fields.needed("apiVersion")
        metadata = fields.table("metadata")
        self.name = metadata.text("name")
        self.labels = metadata.pairs("labels")
        self.annotations = metadata.pairs("annotations")
        metadata.ignore(
            "", "namespace", "creationTimestamp", "uid", "resourceVersion", "generation",
            "managedFields", "ownerReferences", "finalizers", "selfLink", "generateName",
        )  # fmt: skip
        metadata.end()
        fields.ignore("", "status")

    def check_name(self) -> None:
        """Raise KubeError unless it is a name as Kubernetes wants it (RFC 1123, subdomain)."""
        name = self.name
        if not name:
            self.fields.wrong("'metadata.name' is missing", "metadata")
        ends = name[0].isalnum() and name[-1].isalnum()
        if len(name) > _MOST_NAME or set(name) - _NAME_CHARACTERS or not ends:
            self.fields.wrong(
                f"'metadata.name' is '{name}'; it can have small letters, digits, '-' and '.', and begins and ends "
                "with a letter or digit",
                "metadata",
            )


def read(data: bytes, source: str, notes: Notes) -> list[Document]:
    """The documents of a text that can be played here. Raises KubeError."""
    found = []
    try:
        loaded = yaml_text.parse_all_with_lines(data)
    except ValueError as error:
        raise KubeError(
            f"{source} is not YAML: {error}", hint="is it a file for `pod kube play` at all?"
        ) from error
    for fields in _tables(loaded, source, notes):
        document = Document(fields)
        if document.kind in _WITHOUT_EFFECT:
            notes.add(
                f"{fields.where('kind')}: the {document.kind} '{document.name}' has no effect: "
                f"{_WITHOUT_EFFECT[document.kind]}"
            )
            continue
        versions = KINDS.get(document.kind)
        if versions is None:
            fields.wrong(
                f"a {document.kind} cannot be played; what can: {', '.join(KINDS)}", "kind"
            )
        if document.version not in versions:
            fields.wrong(
                f"the apiVersion of a {document.kind} is {versions[0]}, not '{document.version}'",
                "apiVersion",
            )
        document.check_name()
        found.append(document)
    _check_unique(found)
    if not found and not notes.said:
        raise KubeError(f"{source} has no documents")
    return found


def _tables(loaded: list[Any], source: str, notes: Notes) -> Iterator[Fields]:
    """Each document, and each item of those that are lists."""
    for one in loaded:
        if one is None:
            continue
        fields = Fields(one, "", source, notes, yaml_text.first_line(one))
        if fields.text("kind") == "List":
            for item in fields.tables("items"):
                item.path = ""
                yield item
        else:
            yield fields


def _check_unique(found: list[Document]) -> None:
    seen: dict[tuple[str, str], Document] = {}
    for document in found:
        first = seen.setdefault((document.kind, document.name), document)
        if first is not document:
            document.fields.wrong(
                f"there is a {document.kind} '{document.name}' already, in line {first.fields.line()}",
                "metadata",
            )
