"""Whether the signatures of an image are those that policy.json demands. Called before anything of it is stored.

For each requirement one signature must be good in every respect: made by one of its keys, over this very manifest, for
a name that its `signedIdentity` accepts. What is wrong with each other signature is told only when none is good.

Source: containers-policy.json(5).
"""

from __future__ import annotations

from pod.base import log
from pod.image import policy
from pod.image.trust import identity, payload
from pod.image.trust.openpgp import BadKey, BadSignature, Keyring
from pod.spec.digest import algorithm_of
from storage.blobs import digest_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from typing import Protocol, TypeVar

    from pod.image.policy import Demand, KeySource, Requirement
    from pod.image.trust.sigstore import Attachment
    from pod.spec.reference import Reference

    Signature = TypeVar("Signature")

    class Signatures(Protocol):
        """Where the signatures of one manifest are found."""

        def simple(self) -> Sequence[bytes]:
            """Those by OpenPGP."""

        def sigstore(self) -> Sequence[Attachment]:
            """Those in the form of sigstore."""


_MAX_KEY_BYTES = 4 << 20
_SHOWN = 5


class NotSigned(policy.NotAllowed):
    """The image has not the signatures that the policy demands."""

    def __init__(self, demand: Demand, why: str) -> None:
        super().__init__(
            f"image '{demand.name}' is refused by the policy for {demand.scope}: {why}",
            hint=policy.SHOW,
        )


def verify(demand: Demand, name: Reference | None, manifest: bytes, signatures: Signatures) -> None:
    """Raise NotSigned unless all requirements are met by `signatures` of the image with this `manifest`.

    `name` is the full name that was asked for, None for an image in a file. Raises BadKey for keys of the policy.
    """
    for requirement in demand.requirements:
        if requirement.impossible:
            raise NotSigned(demand, requirement.impossible)
        if requirement.kind == policy.SIGNED_BY:
            faults = _signed_by(requirement, name, manifest, signatures.simple())
        else:
            faults = _sigstore_signed(requirement, name, manifest, signatures.sigstore())
        if faults is not None:
            raise NotSigned(demand, _why(requirement.kind, faults))


def read_key(source: KeySource) -> bytes:
    """The content of a key of the policy. Raises BadKey."""
    if not source.path:
        import base64
        import binascii

        try:
            return base64.b64decode(source.data, validate=True)
        except (binascii.Error, ValueError) as error:
            raise BadKey(str(source), "it is not in base64") from error
    try:
        with open(source.path, "rb") as file:
            return file.read(_MAX_KEY_BYTES)
    except OSError as error:
        raise BadKey(str(source), error.strerror or "it cannot be read") from error


def _signed_by(
    requirement: Requirement, name: Reference | None, manifest: bytes, found: Sequence[bytes]
) -> list[str] | None:
    """What is wrong with each signature; None when one is good."""
    with Keyring([(str(source), read_key(source)) for source in requirement.keys]) as keyring:

        def opened(signature: bytes) -> tuple[bytes, str]:
            content, signer = keyring.open(signature)
            return content, signer.fingerprint

        return _faults(requirement, name, manifest, found, opened, payload.SIMPLE)


def _sigstore_signed(
    requirement: Requirement,
    name: Reference | None,
    manifest: bytes,
    found: Sequence[Attachment],
) -> list[str] | None:
    from pod.image.trust import rekor, sigstore  # few policies ask for it

    keys = [sigstore.public_key(str(one), read_key(one)) for one in requirement.keys]
    logs = [sigstore.public_key(str(one), read_key(one)) for one in requirement.rekor_keys]

    def opened(attachment: Attachment) -> tuple[bytes, str]:
        key = sigstore.check(attachment, keys)
        if logs:
            rekor.check(attachment, key, logs)
        return attachment.payload, "a sigstore key"

    return _faults(requirement, name, manifest, found, opened, payload.COSIGN)


def _faults(
    requirement: Requirement,
    name: Reference | None,
    manifest: bytes,
    found: Sequence[Signature],
    opened: Callable[[Signature], tuple[bytes, str]],
    kind: str,
) -> list[str] | None:
    """What is wrong with each of `found`; None when one is good. `opened` gives what was signed, and by whom."""
    faults = []
    for signature in found:
        try:
            content, signer = opened(signature)
            claim = payload.parse(content, kind)
            _check_claim(requirement, claim, name, manifest)
        except (BadSignature, payload.BadPayload) as fault:
            faults.append(str(fault))
        else:
            log.debug(f"signed by {signer} as '{claim.name}'")
            return None
    return faults


def _check_claim(
    requirement: Requirement, claim: payload.Claim, name: Reference | None, manifest: bytes
) -> None:
    """Raise BadSignature unless the claim is about this manifest and a fitting name."""
    if digest_of(manifest, algorithm_of(claim.digest)) != claim.digest:
        raise BadSignature(f"it is for another image, {claim.digest}")
    if not identity.accepts(requirement.identity, name, claim.name):
        raise BadSignature(f"it is for the name '{claim.name[:200]}'")


def _why(kind: str, faults: list[str]) -> str:
    wanted = "signature by a sigstore key" if kind == policy.SIGSTORE else "GPG signature"
    if not faults:
        return f"it has no {wanted}"
    if len(faults) == 1:
        return f"its {wanted} does not count: {faults[0]}"
    distinct = list(dict.fromkeys(faults))
    more = "; ..." if len(distinct) > _SHOWN else ""
    return f"none of its {len(faults)} signatures counts: {'; '.join(distinct[:_SHOWN])}{more}"
