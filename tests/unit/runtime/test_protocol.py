"""Messages between the monitor and init, when one of them is gone."""

from __future__ import annotations

import pytest

from pod.base.errors import PodError
from pod.linux import processes, sockets
from pod.runtime import protocol


def test_sending_to_init_that_was_killed_is_an_error_with_words() -> None:
    ours, theirs = sockets.pair()
    theirs.close()
    with pytest.raises(protocol.Disconnected, match="'mapped'"):
        protocol.send(ours, protocol.MAPPED)
    ours.close()


def test_sending_to_init_that_has_failed_raises_its_error() -> None:
    ours, theirs = sockets.pair()
    theirs.send(protocol.ERROR, *processes.describe_error(PodError("no room", hint="make some")))
    theirs.close()
    with pytest.raises(PodError, match="no room"):
        protocol.send(ours, protocol.MAPPED)
    ours.close()
