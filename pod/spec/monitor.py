"""What commands and monitors say to each other, and the files through which they know of each other.

A client connects to `SOCKET` in the container's run directory; the command that starts a container has a connection
from the beginning. Streams travel as packets of `linux/sockets.py`, everything else as these messages:

    client -> monitor    ATTACH                     from now on, send me output
                         RESIZE, rows, columns
                         INPUT_ENDS                 no more input from me
                         NO_RESTART                 the container is being stopped: the restart policy ends here;
                                                    answered with NOTED, and from then on the state file holds
                         LET_GO, attach             become the command; answered with STARTED or ERROR (`pod init` has
                                                    left the container before that); `attach` as in ATTACH
                         ORDER, order               what the next start is to do, after an update; answered with NOTED
                         RENAMED, name              events have this name from now on; answered with NOTED
                         HEALTH                     tell me the status of the health now, and whenever it changes
                         CHECKED, verdict           I have made a health check, and recorded it (spec/health.py)
                         FINISHING                  I will record the end myself; wait for me
                         FINISHED                   it is recorded
    command -> monitor   SPLIT                      before any order, with the channel of a second monitor, which is to
                                                    be made
                         NETWORK, settings          before the order, which has the same settings: connect the
                                                    namespaces that are prepared
                         HOLDER, settings, maps     before the order: open the way to the holder of these networks, and
                                                    make namespaces in its own; the id maps are those that are likely
                         CANCEL                     there will be no order; undo that, and leave
    monitor -> client    STARTED, pid, time, limits that were refused     (to the command that started it)
                         ERROR, kind, value                               (to the same, instead)
                         NOTED
                         HEALTH, status             "" without health checks
                         EXITED, status, out_of_memory, time
"""

ATTACH = "attach"
RESIZE = "resize"
INPUT_ENDS = "input-ends"
NO_RESTART = "no-restart"
LET_GO = "let-go"
ORDER = "order"
RENAMED = "renamed"
HEALTH = "health"
CHECKED = "checked"
FINISHING = "finishing"
FINISHED = "finished"
SPLIT = "split"
NETWORK = "network"
HOLDER = "holder"
CANCEL = "cancel"
STARTED = "started"
ERROR = "error"
NOTED = "noted"
EXITED = "exited"

SOCKET = "attach"
LOCK_FILE = "monitor"  # held by the monitor while it lives
STATE_FILE = "state"
"""JSON: pid, pid_started, helpers, cgroup, started_ns, restarts, refused_limits; and of the container's row, as it was
when the run began: root (of its database), name, created_ns."""
PAUSED_FILE = "paused"  # JSON: pid, pid_started of the paused run; by: [pid, start time] of who will unpause it
EXIT_FILE = "exit"  # JSON: status, out_of_memory, timed_out, started_ns, ended_ns, restarts, error
NOTIFY = "notify"  # directory with the socket that a service tells us on that it is ready
BUNDLE = "bundle"  # directory with config.json, for hooks and for external runtimes
