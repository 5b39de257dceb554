"""Where files of the configuration are, and in which order they are read. Nothing is opened here.

Sources: containers.conf(5), containers-storage.conf(5), containers-registries.conf(5) and .conf.d(5),
containers-policy.json(5), containers-mounts.conf(5), each under "FILES" or "ENVIRONMENT VARIABLES".
"""

from __future__ import annotations

import os

from pod.base import paths
from pod.base.records import Record

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping


class Source(Record):
    """A file to read, or the `directory` of drop-in files. `required` says who wants it, where its lack is an error."""

    path: str
    required: str = ""
    directory: bool = False


class Places(Record):
    """The directories and files in question for one caller; find_places has the usual ones."""

    shipped: str  # our own defaults
    user: str
    vendor: str = "/usr/share/containers"
    admin: str = "/etc/containers"
    cache: str = ""  # where parsed results are kept; "" for nowhere
    conf: str = ""  # $CONTAINERS_CONF
    conf_override: str = ""  # $CONTAINERS_CONF_OVERRIDE
    storage_conf: str = ""  # $CONTAINERS_STORAGE_CONF
    registries_conf: str = ""  # $CONTAINERS_REGISTRIES_CONF
    short_names: str = ""  # the aliases that tools wrote themselves
    storage_driver: str = ""  # $STORAGE_DRIVER
    storage_options: str = ""  # $STORAGE_OPTS
    modules: tuple[str, ...] = ()
    rootless: bool = True

    def facts(self) -> list[str]:
        """What the settings depend on besides the files."""
        expanded = [
            f"{name}={os.environ.get(name, '')}" for name in ("HOME", "USER", "XDG_DATA_HOME")
        ]
        return [self.storage_driver, self.storage_options, str(os.geteuid()), *expanded]

    def settings_sources(self) -> list[Source]:
        """containers.conf in reading order: what is read later wins."""
        sources = [Source(f"{self.shipped}/pod.conf")]
        if self.conf:
            sources.append(Source(self.conf, "$CONTAINERS_CONF names it"))
        else:
            sources.append(Source(f"{self.vendor}/containers.conf"))
            for directory in (self.admin, self.user):
                sources.append(Source(f"{directory}/containers.conf"))
                sources.append(Source(f"{directory}/containers.conf.d", directory=True))
        sources += [self._module(name) for name in self.modules]
        if self.conf_override:
            sources.append(Source(self.conf_override, "$CONTAINERS_CONF_OVERRIDE names it"))
        return sources

    def storage_sources(self) -> list[Source]:
        """storage.conf: the candidates, of which the first that exists is the only one read."""
        if self.storage_conf:
            return [Source(self.storage_conf, "$CONTAINERS_STORAGE_CONF names it")]
        return [Source(f"{directory}/storage.conf") for directory in self._strongest_first()]

    def registries_sources(self) -> list[Source]:
        """registries.conf in reading order, beginning with ours. The user's own file stands for all others."""
        ours = Source(f"{self.shipped}/registries.conf")
        user = [
            Source(f"{self.user}/registries.conf"),
            Source(f"{self.user}/registries.conf.d", directory=True),
        ]
        drop_ins = Source(f"{self.admin}/registries.conf.d", directory=True)
        written = [Source(self.short_names)] if self.short_names else []
        if self.registries_conf:
            main = Source(self.registries_conf, "$CONTAINERS_REGISTRIES_CONF names it")
            return [ours, main, drop_ins, user[1], *written]
        if os.path.exists(user[0].path):
            return [ours, *user, *written]
        # The absent file is listed too, since its coming into being changes everything.
        return [ours, Source(f"{self.admin}/registries.conf"), drop_ins, *user, *written]

    def policy_sources(self) -> list[Source]:
        """policy.json: the candidates, of which the first that exists is the only one read."""
        return [Source(f"{directory}/policy.json") for directory in self._strongest_first()]

    def signatures_directory(self) -> str:
        """registries.d: the first of the directories that exists is the only one read; containers-registries.d(5)."""
        users = [self.user] if self.rootless else []
        places = [f"{directory}/registries.d" for directory in (*users, self.admin)]
        return next(filter(os.path.isdir, places), places[-1])

    def mounts_sources(self) -> list[Source]:
        """mounts.conf: the candidates, of which the first that exists is the only one read."""
        return [Source(f"{directory}/mounts.conf") for directory in self._strongest_first()]

    def _strongest_first(self) -> list[str]:
        users = [self.user] if self.rootless else []
        return [*users, self.admin, self.vendor]

    def _module(self, name: str) -> Source:
        required = "--module names it"
        if os.path.isabs(name):
            return Source(name, required)
        paths_ = [
            f"{place}/containers.conf.modules/{name}"
            for place in (self.user, self.admin, self.vendor)
        ]
        return Source(next(filter(os.path.exists, paths_), paths_[0]), required)


def find_places(
    environ: Mapping[str, str] = os.environ,
    *,
    config_dir: str | None = None,
    modules: Iterable[str] = (),
) -> Places:
    """The places for the caller; `config_dir` (--config) stands for the caller's own ~/.config/containers."""
    own = environ.get("XDG_CONFIG_HOME") or os.path.join(paths.home(), ".config")
    cached = environ.get("XDG_CACHE_HOME") or os.path.join(paths.home(), ".cache")
    rootless = paths.is_rootless()
    return Places(
        shipped=shipped_directory(),
        user=config_dir or os.path.join(own, "containers"),
        cache=os.path.join(paths.default_runroot(), "configuration"),
        conf=environ.get("CONTAINERS_CONF", ""),
        conf_override=environ.get("CONTAINERS_CONF_OVERRIDE", ""),
        storage_conf=environ.get("CONTAINERS_STORAGE_CONF", ""),
        registries_conf=environ.get("CONTAINERS_REGISTRIES_CONF", ""),
        short_names=os.path.join(
            cached if rootless else "/var/cache", "containers/short-name-aliases.conf"
        ),
        storage_driver=environ.get("STORAGE_DRIVER", ""),
        storage_options=environ.get("STORAGE_OPTS", ""),
        modules=tuple(modules),
        rootless=rootless or config_dir is not None,
    )


def shipped_directory() -> str:
    """The directory of the files that pod brings along: the package `pod.conf`, or `conf` beside it in a checkout."""
    package = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
    installed = os.path.join(package, "conf")
    return installed if os.path.isdir(installed) else os.path.join(os.path.dirname(package), "conf")


def files_of(source: Source) -> list[Source]:
    """The files that a source stands for: itself, or the *.conf files of the directory by name."""
    if not source.directory:
        return [source]
    try:
        names = sorted(os.listdir(source.path))
    except OSError:
        return []  # not there, or not for the caller: drop-ins are optional
    return [Source(f"{source.path}/{name}") for name in names if name.endswith(".conf")]
