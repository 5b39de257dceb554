"""Whether a signature that is for one name may be used for an image with another: `signedIdentity` of policy.json.

Source: containers-policy.json(5), "signedBy".
"""

from __future__ import annotations

from pod.image import policy
from pod.spec import reference as references
from pod.spec.reference import InvalidReference, Reference

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pod.image.policy import Identity


def accepts(identity: Identity, image: Reference | None, signed: str) -> bool:
    """Whether the name `signed` in a signature fits. `image` is the full name that was asked for.

    An image in a file has no name, None, and only the two "exact..." kinds can fit it.
    """
    there = _parsed(signed)
    if there is None:
        return False
    kind = identity.kind
    if kind == policy.EXACT_REFERENCE:
        return _is_same(_parsed(identity.values[0]), there)
    if kind == policy.EXACT_REPOSITORY:
        wanted = _parsed(identity.values[0])
        return wanted is not None and wanted.name == there.name
    if image is None:
        return False
    if kind == policy.REPOSITORY:
        return image.name == there.name
    if kind == policy.EXACT:
        return _is_same(image, there)
    if kind == policy.REMAP:
        remapped = _remapped(image, *identity.values)
        return remapped is not None and _is_repo_digest_or_exact(remapped, there)
    return _is_repo_digest_or_exact(image, there)


def _is_same(wanted: Reference | None, signed: Reference) -> bool:
    """The same name with the same tag or digest, of which there must be one."""
    return wanted is not None and bool(wanted.tag or wanted.digest) and wanted == signed


def _is_repo_digest_or_exact(image: Reference, signed: Reference) -> bool:
    """For an image that is asked for by digest the repository is enough: the digest itself is in the signature."""
    if not (signed.tag or signed.digest):
        return False
    return image.name == signed.name if image.digest else image == signed


def _remapped(image: Reference, prefix: str, signed_prefix: str) -> Reference | None:
    """The image under the name that it was signed with; unchanged when `prefix` does not cover it."""
    name = image.name
    if name != prefix and not name.startswith(f"{prefix}/"):
        return image
    moved = _parsed(signed_prefix + name[len(prefix) :])
    return None if moved is None else moved.replace(tag=image.tag, digest=image.digest)


def _parsed(text: str) -> Reference | None:
    """A reference with a registry, Docker Hub's where there is none, and without an invented tag."""
    try:
        found = references.parse(text)
    except InvalidReference:
        return None
    return found.with_registry(references.DEFAULT_REGISTRY) if found.is_short else found
