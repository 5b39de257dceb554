"""Show something again and again on a terminal, as watch(1) does."""

from __future__ import annotations

import sys
import time

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

_CLEAR = "\x1b[2J\x1b[H"


def repeat(interval_seconds: int, show: Callable[[], None]) -> None:
    """Call `show` until the user interrupts; on a terminal each time on a cleared screen."""
    while True:
        if sys.stdout.isatty():
            sys.stdout.write(_CLEAR)
        show()
        sys.stdout.flush()
        time.sleep(interval_seconds)
