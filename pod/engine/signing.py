"""Keys to sign with, made ready with what registries.d says."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pod.engine.context import Engine
    from pod.image.trust.sign import Signer, Signing
    from pod.spec.reference import Reference


def signer_for(engine: Engine, signing: Signing, reference: Reference) -> Signer:
    """Keys that are ready to sign what is pushed as `reference`. Raises what Signer does, ConfigurationError."""
    from pod.engine.configuration_signatures import load_signatures
    from pod.image.trust.sign import Signer

    return Signer(signing, reference, load_signatures(engine.places))
