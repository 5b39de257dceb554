"""One start of a container: everything up to execve. Imported for as long as a start takes; see resume.py."""

from __future__ import annotations

import os
import time

from netns import attach as network
from pod.base import faults, log
from pod.base.errors import PodError
from pod.base.records import Record
from pod.linux import cgroups, idmap
from pod.monitor import logs
from pod.monitor.record import state_of
from pod.monitor.streams import Streams
from pod.runtime import create, init

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from netns.backends.networks import Places
    from pod.linux.idmap import IdMap
    from pod.linux.loop import Loop
    from pod.monitor.record import Files


class Started(Record):
    """A container whose command runs. `network` is a plan for netns.release; `started_ns` since 1970."""

    pid: int
    pid_started: int
    started_ns: int
    network: dict[str, Any]
    refused_limits: dict[str, str]
    servers: list[tuple[int, int]]


class Prepared:
    """What a monitor makes before it has its order: namespaces, and a way to the network where it is told of that.

    What goes wrong is found again, and said, with the order.
    """

    def __init__(self) -> None:
        self._nest: create.Nest | None = None
        self._connection: Connection | None = None

    def make_namespaces(self) -> None:
        """A user and a network namespace with the usual maps, before it is known what for."""
        try:
            self._nest = create.begin(idmap.default_maps(), new_network=True)
        except (PodError, OSError) as error:
            log.debug(f"no user namespace was prepared: {error}")

    def connect(self, settings: dict[str, Any]) -> None:
        """Begin to connect these namespaces; the order will say the same of the network.

        A helper takes longer than all the rest of a start.
        """
        self._connection = Connection(settings)
        if self._nest is not None and self._nest.has_network:
            try:
                self._connection.begin(self._nest.pid)
            except (PodError, OSError) as error:
                log.debug(f"the network was not begun early: {error}")
            faults.step("monitor: network begun early")

    def open_networks(
        self, until_fd: int, settings: dict[str, Any], maps: tuple[IdMap, IdMap]
    ) -> None:
        """Have a holder of networks, made of the namespaces if there is none, and others that are nested in its own.

        Whoever needs it as well waits until it reaches the world, and so do we, unless `until_fd` says something.
        """
        nest, self._nest = self._nest, None
        self._connection = Connection(settings)
        try:
            try:
                places = self._connection.open(nest)
            finally:
                if nest is not None and not nest.is_spent:
                    nest.abandon()
            assert places is not None
            self._nest = create.begin_nested(
                places.namespace, places.map_ids, maps, new_network=True
            )
            faults.step("monitor: holder opened early")
            places.reach_out(until_fd)
        except (PodError, OSError) as error:
            log.debug(f"no networks were prepared: {error}")
            self.abandon()

    def take(self) -> tuple[create.Nest | None, Connection | None]:
        """Both; whoever gets them ends them."""
        taken = self._nest, self._connection
        self._nest = self._connection = None
        return taken

    def abandon(self) -> None:
        """Nobody needs it, or it was taken."""
        nest, connection = self.take()
        if connection is not None:
            connection.detach()
        if nest is not None:
            nest.abandon()


def start(
    order: dict[str, Any],
    files: Files,
    loop: Loop,
    passed_streams: list[int],
    prepared: Prepared | None,
    restarts: int,
) -> tuple[Started, Streams, create.Container | None]:
    """Start the container that `order` describes (pod/monitor/main.py); on failure nothing of it is left.

    What is `prepared` is used if it fits and abandoned if not. An order that is "held" gives the container, too, which
    waits for `let_go`.
    """
    waiting = None
    nest, connection = (None, None) if prepared is None else prepared.take()
    connection = connection or Connection(order["network"])
    connection.settle(order["network"])
    unapplied: dict[str, str] = {}
    if order["bundle"].get("scope"):
        if nest is not None:
            connection.start_over()
            nest.abandon()  # it is in the group that we leave
            nest = None
        unapplied = _enter_scope(order)
    streams = Streams(loop, logs.open_driver(order["log"]))
    try:
        connection.open(nest)
        if nest is not None and nest.is_spent:
            nest = None
        container = _create(order, streams, passed_streams, nest, connection)
        if unapplied:
            container = container.replace(refused_limits=unapplied)
        try:
            ready, started = _connect(order, files, streams, container, connection, restarts)
            if order["held"]:
                waiting = ready = ready if ready.helper else create.without_holder(ready)
                files.write_state({**state_of(order, started.__dict__, restarts), "held": True})
            else:
                started = let_go(order, files, ready, started, restarts)
        except BaseException:
            create.kill(container)
            raise
    except BaseException:
        connection.detach()
        streams.close()
        if order["bundle"]["cgroup"]:
            cgroups.remove_with_processes(order["bundle"]["cgroup"])
        raise
    streams.begin()
    return started, streams, waiting


def let_go(
    order: dict[str, Any],
    files: Files,
    container: create.Container,
    started: Started,
    restarts: int,
) -> Started:
    """The second half of a start: from a container that waits to its command. On failure its processes are gone."""
    started = started.replace(started_ns=time.time_ns())
    files.write_state(state_of(order, started.__dict__, restarts))
    if container.helper:
        from pod.runtime import external

        external.start(container)
    elif order["bundle"]["config"].get("hooks"):
        from pod.runtime import hooks

        create.start(container, _state(order, container.pid, "created"))
        state = _state(order, container.pid, "running")
        hooks.run_all(order["bundle"]["config"], "poststart", state)
    else:
        create.start(container)
    return started


def _enter_scope(order: dict[str, Any]) -> dict[str, str]:
    """Move to a scope of systemd's, once, and put the container's cgroup there; limits that cannot be had without.

    Raises LimitsNotApplied when there are such and they are required.
    """
    from pod.linux import scopes  # heavy

    bundle = order["bundle"]
    scope, bundle["scope"] = bundle["scope"], {}
    try:
        bundle["cgroup"] = scopes.enter_new(scope)
    except scopes.ScopeRefused as error:
        log.debug(str(error))
        if bundle["required_limits"]:
            from pod.spec.resources import LimitsNotApplied

            names = ", ".join(bundle["required_limits"])
            raise LimitsNotApplied(bundle["id"][:12], names, str(error)) from error
        return dict.fromkeys(bundle["cgroup_files"], str(error))
    if order.get("health"):
        order["health"]["check"]["cgroup"] = bundle["cgroup"]
    return {}


class Connection:
    """The way to the network: begun as soon as the namespace exists, since helpers are slow to start, and once."""

    def __init__(self, settings: dict[str, Any]) -> None:
        self._settings = settings
        self._attachment: network.Attachment | None = None
        self._plan: dict[str, Any] | None = None
        self.places: Places | None = None

    def settle(self, settings: dict[str, Any]) -> None:
        """What was begun is for a container with these settings, which say no less."""
        self._settings = settings

    def open(self, nest: create.Nest | None) -> Places | None:
        """Ask for what must be there before the container's namespaces: places on networks of the caller's own.

        `nest` may be spent for that: a holder of the networks is made of it where there is none.
        """
        if self._settings["backend"] != "networks":
            if self.places is not None:
                self.places.detach()
                self.places = None
        elif self.places is not None:
            self.places.settle(self._settings)
        else:
            from netns.backends.networks import Places

            fits = nest is not None and nest.has_network and not nest.is_nested
            self.places = Places(self._settings, nest if fits else None)
        if self.places is not None:
            self._settings = {**self._settings, "opened": self.places}
        return self.places

    def begin(self, pid: int, lives: int = 0) -> None:
        """Connect the namespaces of `pid`, which stays until `wait` has returned; `lives` is process 1, if known."""
        if self._attachment is None:
            self._attachment = network.begin({**self._settings, "lives": lives}, pid)

    def wait(self) -> dict[str, Any]:
        """Wait until the network is up; what netns.release needs. Raises NetworkError."""
        assert self._attachment is not None
        if self._plan is None:
            self._attachment.wait()
            self._plan = self._attachment.plan()
        return self._plan

    def start_over(self) -> None:
        """What was begun is of no use: its namespaces will not be the container's. Ports are free again after that."""
        if self._attachment is not None:
            self._attachment.detach()
            self._attachment = None

    def detach(self) -> None:
        """End what was begun."""
        if self._attachment is not None:
            self._attachment.detach()
            self._attachment = None
        elif self.places is not None:
            self.places.detach()


def _create(
    order: dict[str, Any],
    streams: Streams,
    passed_streams: list[int],
    nest: create.Nest | None,
    connection: Connection,
) -> create.Container:
    ends, ours = _container_streams(order, streams, passed_streams)
    try:
        if not order["runtime"]:
            prepared, nest = nest, _right_nest(order, nest, connection)
            config = order["bundle"]["config"]
            try:
                is_early = nest is prepared and nest.has_network and not nest.is_nested
                if is_early and not init.shares_pids(config):
                    # Its /proc files stay open to us all the time; with other maps, or among the processes of others,
                    # they close for a moment.
                    connection.begin(nest.pid)
                elif nest is prepared:
                    connection.start_over()
            except BaseException:
                nest.abandon()
                raise
            faults.step("monitor: network begun")
            kept = passed_streams[3:] if order["passthrough"] else passed_streams
            return create.create(nest, order["bundle"], ends, kept)
        if nest is not None:
            connection.start_over()
            nest.abandon()
        from pod.runtime import external  # needs the json module

        return external.make_container(
            order["bundle"],
            runtime=order["runtime"],
            run_directory=order["run_directory"],
            maps=order["maps"],
            user_namespace=order["user_namespace"],
            streams=ends,
        )
    finally:
        for fd in ours:
            os.close(fd)


def _container_streams(
    order: dict[str, Any], streams: Streams, passed: list[int]
) -> tuple[tuple[int, int, int], list[int]]:
    """The descriptors that the container starts with, and those of them that are to be closed here afterwards."""
    if order["passthrough"]:
        return (passed[0], passed[1], passed[2]), []
    if order["terminal"]:
        null = os.open("/dev/null", os.O_RDWR | os.O_CLOEXEC)
        return (null, null, null), [null]
    ends = streams.make_pipes(open_input=order["open_input"])
    return ends, list(ends)


def _right_nest(
    order: dict[str, Any], nest: create.Nest | None, connection: Connection
) -> create.Nest:
    """The prepared namespaces if they are those that the order needs, else others."""
    maps, path = order["maps"], order["user_namespace"]
    new_network = create.wants_new_network(order["bundle"])
    places = connection.places
    if nest is not None:
        is_right = nest.is_nested == (places is not None) and nest.has_network == new_network
        if is_right and nest.maps == maps is not None and not path:
            return nest
        connection.start_over()
        nest.abandon()
    if places is not None and not path:  # that of others is nested already
        return create.begin_nested(places.namespace, places.map_ids, maps, new_network=new_network)
    if path:
        return create.join_user_namespace(path, new_network=new_network)
    return create.begin(maps, new_network=new_network)


def _connect(
    order: dict[str, Any],
    files: Files,
    streams: Streams,
    container: create.Container,
    connection: Connection,
    restarts: int,
) -> tuple[create.Container, Started]:
    """The steps from the namespaces to a container that waits; the network helper works while init mounts."""
    faults.step("monitor: container placed")
    connection.begin(container.holder_pid or container.pid, container.pid)
    started = Started(
        container.pid,
        container.started,
        0,
        {"processes": [], "fds": [], "files": []},
        container.refused_limits,
        container.servers,
    )
    files.write_state(state_of(order, started.__dict__, restarts))
    ready = container if container.helper else _build(order, container, connection)
    if ready.terminal_fd >= 0:
        streams.use_terminal(ready.terminal_fd)
    faults.step("monitor: container ready")
    plan = connection.wait()
    faults.step("monitor: network up")
    files.write_pid_files(started.pid)
    return ready, started.replace(network=plan)


def _build(
    order: dict[str, Any], container: create.Container, connection: Connection
) -> create.Container:
    """Wait until the container is ready; run its hooks of the host's side, which find it with its network."""
    config = order["bundle"]["config"]
    if not config.get("hooks"):
        return create.wait_until_ready(container)
    from pod.runtime import hooks

    def run_hooks() -> str:
        hooks.write_bundle(order["run_directory"], config)
        connection.wait()
        state = _state(order, container.pid, "creating")
        hooks.run_all(config, "prestart", state)
        hooks.run_all(config, "createRuntime", state)
        return state

    return create.wait_until_ready(container, run_hooks)


def _state(order: dict[str, Any], pid: int, status: str) -> str:
    from pod.runtime import hooks

    return hooks.state(order["id"], order["run_directory"], status, pid, order["bundle"]["config"])
