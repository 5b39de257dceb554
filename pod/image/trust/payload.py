"""What is signed: a JSON document that ties the digest of a manifest to a name.

GPG's "simple signing" and sigstore use the same form with another `type`. Readers must not differ in what they make of
one document, so an unknown or doubled field in `critical` makes it worthless.

Source: container-signature(5).
"""

from __future__ import annotations

import json

from pod.base.records import Record
from pod.base.version import VERSION
from pod.image.policy import without_duplicates
from pod.spec.digest import is_digest

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

SIMPLE = "atomic container signature"
COSIGN = "cosign container image signature"
MAX_BYTES = 4 << 20


class BadPayload(Exception):
    """It does not say what a signature of an image says; the text completes "signature: "."""


class Claim(Record):
    """What a payload claims: the image with this manifest is the one of this name."""

    digest: str
    name: str


def parse(data: bytes, kind: str) -> Claim:
    """The claim in a payload of type `kind`. Raises BadPayload."""
    try:
        document = json.loads(data.decode("utf-8"), object_pairs_hook=without_duplicates)
    except (ValueError, RecursionError) as error:
        raise BadPayload("what is signed is no JSON document") from error
    whole = _object(document, ("critical", "optional"), missing=("optional",))
    critical = _object(whole["critical"], ("type", "image", "identity"))
    if critical["type"] != kind:
        raise BadPayload(f"what is signed is not of type '{kind}'")
    image = _object(critical["image"], ("docker-manifest-digest",))
    identity = _object(critical["identity"], ("docker-reference",))
    _check_optional(whole.get("optional"))
    digest, name = image["docker-manifest-digest"], identity["docker-reference"]
    if not isinstance(digest, str) or not is_digest(digest) or not isinstance(name, str):
        raise BadPayload("what is signed has no digest or no name")
    return Claim(digest, name)


def make(claim: Claim, kind: str, *, moment: int) -> bytes:
    """The payload for a claim; `moment` is now, in seconds since 1970."""
    document = {
        "critical": {
            "identity": {"docker-reference": claim.name},
            "image": {"docker-manifest-digest": claim.digest},
            "type": kind,
        },
        "optional": {"creator": f"pod {VERSION}", "timestamp": moment},
    }
    return json.dumps(document, separators=(",", ":"), sort_keys=True).encode()


def _object(value: Any, names: tuple[str, ...], missing: tuple[str, ...] = ()) -> dict[str, Any]:
    if not isinstance(value, dict) or value.keys() - set(names):
        raise BadPayload("what is signed has other fields than a signature of an image")
    if set(names) - value.keys() - set(missing):
        raise BadPayload("what is signed lacks a field")
    return value


def _check_optional(value: Any) -> None:
    """Nothing in it is used; but what it may say about the signature must have its type."""
    if value is None:
        return
    if not isinstance(value, dict):
        raise BadPayload("'optional' is no object")
    creator, moment = value.get("creator"), value.get("timestamp")
    if (creator is not None and not isinstance(creator, str)) or isinstance(moment, bool):
        raise BadPayload("'optional' has fields of wrong types")
    if moment is not None and not isinstance(moment, (int, float)):
        raise BadPayload("'optional' has fields of wrong types")
