""".kube files, which need `pod kube play`."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pod.quadlet.service import Quadlet, Service


def convert(quadlet: Quadlet, service: Service) -> None:
    """What the keys mean is checked by the table; a service that could never start is not written."""
    raise quadlet.error("this version of pod cannot play YAML of Kubernetes yet")
