"""Start: dispatch, then turn the result into an exit status. `pod` and `python -m pod` come here."""

from __future__ import annotations

import gc
import os
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import NoReturn

    from pod.linux.sockets import Channel


def main() -> NoReturn:
    """Do what the command line says and end the process."""
    gc.disable()  # nothing is thrown away while modules load; commands that run long enable it again
    from pod.cli.main import main as run

    status = run(sys.argv[1:], _prefork)
    # Python's own way out frees every object one by one.
    os._exit(status)


def _prefork() -> Channel:
    from pod.monitor.prefork import prefork

    return prefork()


if __name__ == "__main__":
    main()
