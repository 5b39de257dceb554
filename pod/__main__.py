"""Start: dispatch, then turn the result into an exit status. `pod` and `python -m pod` come here."""

from __future__ import annotations

import gc
import os
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import NoReturn

    from pod.cli.table import Helper
    from pod.engine.context import Engine


def main() -> NoReturn:
    """Do what the command line says and end the process."""
    gc.disable()  # nothing is thrown away while modules load; commands that run long enable it again
    from pod.base import modules

    modules.install()
    from pod.cli.main import main as run

    words = sys.argv[1:]
    if sys.argv[0].endswith("-compose"):
        from pod.cli import compose_program

        if compose_program.is_called(sys.argv[0]):
            words = compose_program.words(words)
    status = run(words, _prefork)
    # Python's own way out frees every object one by one.
    os._exit(status)


def _prefork(helper: Helper) -> Callable[[Engine], None]:
    """Fork what the command will need, as its first act; gives a function that hands it to the engine."""
    if helper in ("monitor", "unprepared monitor"):
        from pod.monitor.prefork import prefork

        # One that is a service's main process is told apart by its number, which that of a second one is not known by.
        prepares = helper == "monitor" or "NOTIFY_SOCKET" in os.environ
        channel = prefork(prepares=prepares)
        return lambda engine: engine.adopt_monitor(channel, may_split=not prepares)
    from pod.runtime.joiner import Joiner

    joiner = Joiner()
    return lambda engine: engine.adopt_joiner(joiner)


if __name__ == "__main__":
    main()
