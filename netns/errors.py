"""Errors of connecting a container to the network."""

from pod.base.errors import PodError


class NetworkError(PodError):
    """A helper could not connect the container."""
