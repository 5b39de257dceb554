"""The words between the holder of the networks and those who talk to it, over a channel of pod/linux/sockets.py.

While it starts, in this order:

    holder                                     starter
    unshare the user namespace    UNSHARED ->
                               <- MAPPED       newuidmap, newgidmap; (directory, cgroup, networks): the cgroup
                                               that holder and helper go to, or ""; networks that will be
                                               needed first
    unshare the network           NAMED    ->
    listen                        LISTENING -> meanwhile the outside helper starts
    make bridges and rules

Afterwards, each request has one answer, DONE with values or ERROR with what processes.describe_error gives:

    MAP         (pid, uid map, gid map as text)         write the id maps of a user namespace nested in ours
    ATTACH      (pid, id, names, name servers, networks, places, ports) + pidfd, listening sockets
                                                        connect a container until the process of the pidfd ends; `pid`
                                                        has its network namespace
    DETACH      (id)                                    disconnect it now
    SPARE       (id)                                    no more clients for it by ports that it shares with others;
                                                        -> how many it has still, 0 where there are no others
    JOIN        (id, network, place)                    one more network for a container
    LEAVE       (id, network name)
    RENAME      (id, names)                             other names for a container, if it is connected
    UPDATE      (network name, name servers)            other name servers for a network
    END         ()                                      disconnect all, end the helper and the holder; whoever asks has
                                                        the lock, and waits for the end of the connection
    STATUS      ()                                      -> what is connected
    OUTSIDE     ((pid, start time)) + descriptor        the helper that connects it, the first or another for one that
                                                        has ended (file LOST); it may end with the last copy of
                                                        the descriptor
"""

from pod.base.paths import HOLDER_LOST, HOLDER_PASTA, HOLDER_SOCKET

UNSHARED, MAPPED, NAMED, OUTSIDE, LISTENING = (
    "unshared",
    "mapped",
    "named",
    "outside",
    "listening",
)
MAP, ATTACH, DETACH, JOIN, LEAVE = "map", "attach", "detach", "join", "leave"
RENAME, UPDATE, END, STATUS, SPARE = "rename", "update", "end", "status", "spare"
DONE, ERROR = "done", "error"

OUTSIDE_INTERFACE = "out0"  # of the holder's namespace, to the world
SOCKET = HOLDER_SOCKET
LOCK = "holder.lock"
OUTSIDE_PID = HOLDER_PASTA
LOST = HOLDER_LOST  # is there while the holder has no outside helper, and says why
IS_STARTING, WAS_KILLED = "starting", "killed"
