"""`Engine`: what every verb needs: paths, configuration, database, stores. Each is opened on first use.

The verbs are functions in the other modules of this package, which take an Engine; a program that uses pod as a library
makes one and calls them, as the command line does.
"""

from __future__ import annotations

import os

from pod.base import log, paths
from pod.base.errors import PodError, Unsupported

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any

    from pod.engine.configuration import Settings
    from pod.engine.configuration_places import Places
    from pod.linux.sockets import Channel
    from pod.runtime.joiner import Joiner
    from pod.state.database import Database
    from pod.state.events import Journal
    from storage.rootfs import RootFileSystems
    from storage.store import Store


class Engine:
    """One root directory and one run directory, with the choices that were made for them.

    Arguments that are None or empty leave the choice to the configuration files.
    """

    def __init__(
        self,
        *,
        root: str | None = None,
        runroot: str | None = None,
        volume_path: str | None = None,
        storage_driver: str | None = None,
        storage_options: Sequence[str] = (),
        runtime: str | None = None,
        runtime_flags: Sequence[str] = (),
        hooks_dirs: Sequence[str] = (),
        cdi_spec_dirs: Sequence[str] = (),
        network_command: str | None = None,
        modules: Sequence[str] = (),
        credentials_directory: str | None = None,
        events_backend: str | None = None,
        cgroup_manager: str | None = None,
    ) -> None:
        self._given: dict[str, Any] = {
            "root": _absolute(root),
            "runroot": _absolute(runroot),
            "volume_path": _absolute(volume_path),
            "storage_driver": storage_driver,
            "storage_options": list(storage_options),
            "runtime": runtime,
            "runtime_flags": list(runtime_flags),
            "hooks_dirs": list(hooks_dirs),
            "cdi_spec_dirs": list(cdi_spec_dirs),
            "network_command": network_command,
            "modules": list(modules),
            "credentials_directory": _absolute(credentials_directory),
            "events_backend": events_backend,
            "cgroup_manager": cgroup_manager,
        }
        self.credentials_directory: str | None = self._given["credentials_directory"]
        self.runtime_flags = list(runtime_flags)
        self.hooks_dirs = list(hooks_dirs)
        self.cdi_spec_dirs = list(cdi_spec_dirs)
        self.given_runtime = runtime or ""
        self.network_command = network_command or ""
        self._settings: Settings | None = None
        self._places: Places | None = None
        self._paths: paths.Paths | None = None
        self._database: Database | None = None
        self._has_looked = False  # at the database; it may be closed again, for a fork
        self._events: Journal | None = None
        self._store: Store | None = None
        self.seen_running: set[str] = (
            set()
        )  # ids; by this command, so that `tidy` need not look again
        self._monitors: list[Channel] = []
        self.begun_network: dict[str, Any] | None = None
        self._may_split = False
        self.holder: dict[str, Any] | None = None  # of networks, as the monitor was told beforehand
        self._joiner: Joiner | None = None

    @property
    def cgroup_manager(self) -> str:
        """Who gives containers a cgroup where none is delegated: "systemd", or "cgroupfs" for nobody."""
        return str(self._given["cgroup_manager"] or self.settings.engine.cgroup_manager)

    def as_arguments(self) -> dict[str, Any]:
        """What another process passes to Engine to get the same one."""
        return dict(self._given)

    @property
    def settings(self) -> Settings:
        """The merged configuration files, with what was given to this engine on top."""
        if self._settings is None:
            from pod.engine.configuration import load_settings

            self._settings = load_settings(self.places)
            for entry in self._settings.engine.env:
                name, _, value = entry.partition("=")
                os.environ.setdefault(name, value)  # containers.conf(5), [engine] env
        return self._settings

    @property
    def places(self) -> Places:
        """Where the configuration files are."""
        if self._places is None:
            from pod.engine.configuration_places import find_places

            self._places = find_places(modules=self._given["modules"])
        return self._places

    @property
    def paths(self) -> paths.Paths:
        if self._paths is None:
            given, storage = self._given, self.settings.storage
            root = given["root"] or os.environ.get(paths.UNSHARED_ROOT)
            runroot = given["runroot"] or os.environ.get(paths.UNSHARED_RUNROOT)
            self._paths = paths.Paths(
                root or storage.root_directory() or paths.default_root(),
                runroot or storage.run_directory() or paths.default_runroot(),
                given["volume_path"] or self.settings.engine.volume_path,
            )
            paths.check_root(self._paths.root)
        return self._paths

    @property
    def database(self) -> Database:
        if self._database is None:
            from pod.state.database import Database

            self._database = Database(self.paths.database)
            self._has_looked = True
        return self._database

    @property
    def events(self) -> Journal:
        """Where what was done is recorded; pod/state/events.py says how."""
        if self._events is None:
            from pod.state.events import Journal

            settings = self.settings.engine
            backend = self._given["events_backend"] or settings.events_logger
            directory = "" if backend == "none" else self.paths.events
            self._events = Journal(directory, settings.events_logfile_max_size)
        return self._events

    @property
    def store(self) -> Store:
        if self._store is None:
            from storage.store import Store

            self._store = Store(
                self.paths.root, driver=self._storage_driver(), volumes=self.paths.volumes
            )
        return self._store

    def _storage_driver(self) -> str:
        """The driver that was asked for by name, or by a program that mounts; "" for the best one."""
        driver: str = self._given["storage_driver"] or self.settings.storage.driver
        program = self.settings.storage.mount_program
        for option in self._given["storage_options"]:
            key, _, program = option.partition("=")
            if key in {"size", "overlay.size"}:
                raise Unsupported(
                    f"--storage-opt {option}",
                    "a limit of disk space is a project quota, which only root can set",
                    hint="for directories that may fill up: --tmpfs /tmp:size=1g, or a volume on a file system of "
                    "its own; --read-only for the rest",
                )
            if key not in {"overlay.mount_program", "mount_program"}:
                raise Unsupported(
                    f"--storage-opt {option}", "the only one is overlay.mount_program=PATH"
                )
        if not program or driver not in {"", "overlay"}:
            return driver
        if os.path.basename(program) != "fuse-overlayfs":
            raise Unsupported(f"mount_program '{program}'", "pod knows fuse-overlayfs alone")
        return "fuse-overlayfs"

    @property
    def rootfs(self) -> RootFileSystems:
        return self.store.rootfs

    def adopt_monitor(self, channel: Channel, *, may_split: bool = False) -> None:
        """Remember a monitor that was forked in advance; the next start uses it."""
        self._monitors, self._may_split = [channel], may_split

    def split_monitor(self) -> None:
        """Expect two starts, the first with namespaces of its own; where a monitor has prepared nothing, it is two."""
        if self._may_split and self._monitors:
            from pod.linux import sockets
            from pod.spec import monitor

            self._may_split = False
            ours, theirs = sockets.pair()
            try:
                self._monitors[0].send(monitor.SPLIT, fds=(theirs.fileno(),))
                self._monitors.append(ours)
            except OSError as error:
                log.debug(
                    f"there is no second monitor: {error}"
                )  # nor a first one: its start says so
                ours.close()
            finally:
                theirs.close()

    def take_monitor(self) -> Channel | None:
        """That monitor, once; None when there is none, and one has to be started."""
        self.begun_network = None
        return self._monitors.pop(0) if self._monitors else None

    @property
    def has_monitor(self) -> bool:
        """Whether a monitor waits for the next start."""
        return bool(self._monitors)

    def tell_of_holder(self, settings: dict[str, Any], *more: Any) -> None:
        """Have the monitor that waits open its way to the holder of networks, which the start will name again."""
        from pod.spec import monitor

        try:
            self._monitors[0].send(monitor.HOLDER, settings, *more)
        except OSError as error:
            log.debug(f"no holder is told of early: {error}")
        self.holder = settings["holder"]

    def begin_network(self, settings: dict[str, Any]) -> None:
        """Have the monitor that waits connect its namespaces; `begun_network` until the start has taken it."""
        from pod.spec import monitor

        try:
            self._monitors[0].send(monitor.NETWORK, settings)
        except OSError as error:
            log.debug(
                f"no network is begun early: {error}"
            )  # the start says what became of the monitor
        self.begun_network = settings

    def cancel_network(self) -> None:
        """Have that monitor undo what it has begun, and leave; if there is something to be undone. Waits for it."""
        if self.begun_network is None:
            return
        from pod.spec import monitor

        self.begun_network = None
        channel = self._monitors.pop(0)
        try:
            channel.send(monitor.CANCEL)
            channel.receive()  # its end
        except OSError as error:
            log.debug(f"the monitor has gone already: {error}")
        channel.close()

    def adopt_joiner(self, joiner: Joiner) -> None:
        """Remember a joiner that was forked in advance; the next `exec` uses it."""
        self._joiner = joiner

    def take_joiner(self) -> Joiner:
        """That joiner, or a new one."""
        from pod.runtime.joiner import Joiner

        joiner, self._joiner = self._joiner, None
        return joiner or Joiner()

    def tidy(self) -> None:
        """Clean up after commands that were killed, as far as this one has looked there. Never raises."""
        if self._has_looked and os.path.exists(self.paths.database):  # it is gone after a reset
            from pod.engine.tidy import tidy

            tidy(self)
        elif self._store is not None:
            try:
                self._store.tidy()
            except (PodError, OSError) as error:
                log.debug(f"not everything that was left behind could be removed: {error}")

    def close(self) -> None:
        """Let go of the database; in programs that use pod as a library, and before a fork."""
        if self._database is not None:
            self._database.close()
            self._database = None


def _absolute(path: str | None) -> str | None:
    return os.path.abspath(path) if path else None
