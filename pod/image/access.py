"""What pulling and pushing may do: the configuration, and what the command line says on top of it."""

from __future__ import annotations

from pod.base.records import Record
from pod.image.connections import Settings
from pod.image.names import RegistriesConfig

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import ClassVar

    from pod.image.auth import Credentials
    from pod.image.names import Endpoint
    from pod.image.policy import Demand, Policy
    from pod.image.trust.lookaside import SignaturePlaces


class Access(Record):
    """How registries may be used: the configuration, and what the command line says on top of it."""

    registries: RegistriesConfig = RegistriesConfig()
    policy: Policy | None = None
    """What may come in; None where nothing does, or everything may."""
    settings: Settings = Settings()
    tls_verify: bool | None = None
    authfile: str | None = None
    credentials: Credentials | None = None
    signatures: SignaturePlaces | None = None
    """Where signatures are, when the policy asks for any."""
    partial: bool = True
    """Whether a blob may be put together of what is here and what differs; see reuse.py."""
    nested: ClassVar = {"registries": RegistriesConfig, "settings": Settings}

    def demand(self, name: str) -> Demand | None:
        """What the policy demands of the image `name`, a full reference, as `Policy.check`. Raises PolicyRejects."""
        return None if self.policy is None else self.policy.check("docker", name)

    def credentials_for(self, endpoint: Endpoint) -> Callable[[], Credentials | None]:
        """What to call when the endpoint asks who we are."""
        given = self.credentials
        if given is not None and not endpoint.is_mirror:
            return lambda: given
        return lambda: self._find(endpoint)

    def _find(self, endpoint: Endpoint) -> Credentials | None:
        from pod.image import auth

        return auth.find_credentials(
            endpoint.registry,
            endpoint.repository,
            authfile=self.authfile,
            helpers=self.registries.credential_helpers,
        )
