"""Errors of connecting a container to the network."""

from pod.base.errors import PodError


class NetworkError(PodError):
    """A helper could not connect the container."""


class HolderGone(NetworkError):
    """The process that holds the networks ended while it was needed."""
