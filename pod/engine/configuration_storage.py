"""The keys of storage.conf, and the rules by which an ordinary user follows them. Loaded only when a file has changed.

Source: containers-storage.conf(5).
"""

from __future__ import annotations

from pod.base import units
from pod.base.errors import InvalidValue, UsageError
from pod.engine.configuration import ConfigurationError, StorageSettings, line_of, read_toml
from pod.engine.configuration_schema import TYPES, Merge, keep, one_of, tell

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from pod.engine.configuration_places import Places, Source
    from pod.engine.configuration_schema import Declared

_DRIVERS = ("overlay", "vfs", "copy")
_OTHER_DRIVERS = ("btrfs", "zfs", "aufs", "devmapper")  # of podman; pod then chooses for itself
_STORAGE: dict[str, Declared] = {
    "driver": ("text", one_of("", *_DRIVERS, *_OTHER_DRIVERS)),
    "driver_priority": ("list", keep),
    "graphroot": ("text", keep),
    "rootless_storage_path": ("text", keep),
    "runroot": ("text", keep),
}
_OVERLAY = ("mount_program", "mountopt", "ignore_chown_errors")
_STORAGE_OPTIONS: dict[str, Declared] = {
    "additionalimagestores": ("list", keep),
}
_WITHOUT_EFFECT = frozenset(
    "imagestore transient_store additionallayerstores auto-userns-max-size auto-userns-min-size aufs btrfs "
    "disable-volatile force_mask inodes remap-gids remap-group remap-uids remap-user "
    "root-auto-userns-user size skip_mount_home thinpool vfs zfs".split()
)
_PULL_OPTIONS_WITHOUT_EFFECT = frozenset(
    "convert_images insecure_allow_unpredictable_image_contents ostree_repos use_hard_links".split()
)


def read_storage(places: Places) -> StorageSettings:
    """What the strongest storage.conf says, and the environment. Raises ConfigurationError, InvalidValue."""
    for source in places.storage_sources():
        found = read_toml(source)
        if found is not None:
            settings = _storage_settings(places, source, *found)
            break
    else:
        settings = StorageSettings()
    return _with_environment(settings, places)


def _storage_settings(
    places: Places, source: Source, document: dict[str, Any], text: str
) -> StorageSettings:
    """What one storage.conf says. An ordinary user does not take graphroot and runroot from a file of the system."""
    path, merge = source.path, Merge()
    storage = _table(path, text, document, "storage")
    options = _table(path, text, storage, "options", "storage")
    overlay = _table(path, text, options, "overlay", "storage.options")
    known: dict[str, dict[str, Declared]] = {
        "storage": _STORAGE,
        "storage.options": _STORAGE_OPTIONS,
    }
    for table, content in (("storage", storage), ("storage.options", options)):
        for key, value in content.items():
            if declared := known[table].get(key):
                merge.take(path, text, table, key, value, declared)
            elif not (table == "storage" and key == "options"):
                _tell_storage_key(path, text, table, key)
    values = merge.values.get("storage", {})
    stores = merge.values.get("storage.options", {}).get("additionalimagestores", ())
    is_system_file = (
        places.rootless and not source.required and not path.startswith(f"{places.user}/")
    )
    rootless_path = values.pop("rootless_storage_path", "")
    if is_system_file:
        values.pop("runroot", None)
        values["graphroot"] = ""
    if places.rootless and not values.get("graphroot"):
        values["graphroot"] = rootless_path
    if values.get("driver") in _OTHER_DRIVERS:
        tell(
            path,
            line_of(text, "storage", "driver"),
            "storage.driver",
            "names a driver that pod has not",
        )
        values["driver"] = ""
    return StorageSettings(
        **values,
        additionalimagestores=stores,
        **_overlay_options(path, text, options, overlay),
        enable_partial_images=_pull_options(path, text, options),
    )


def _pull_options(path: str, text: str, options: dict[str, Any]) -> bool:
    """`enable_partial_images` of [storage.options.pull_options], whose values are strings."""
    where, enabled = "storage.options.pull_options", True
    for key, value in _table(path, text, options, "pull_options", "storage.options").items():
        line = line_of(text, where, key)
        if key != "enable_partial_images":
            known = key in _PULL_OPTIONS_WITHOUT_EFFECT
            tell(path, line, f"{where}.{key}", "has no effect in pod" if known else "is unknown")
            continue
        try:
            enabled = value if isinstance(value, bool) else _truth(key, value)
        except UsageError as error:
            raise ConfigurationError(
                path, error.message, line=line, key=f"{where}.{key}"
            ) from error
    return enabled


def _truth(key: str, value: Any) -> bool:
    if not isinstance(value, str):
        raise UsageError(TYPES["text"][1])
    return units.parse_boolean(value or "false", f"'{key}'")


def _tell_storage_key(path: str, text: str, table: str, key: str) -> None:
    if table == "storage.options" and key in {"overlay", "pull_options", *_OVERLAY}:
        return  # read elsewhere
    why = "has no effect in pod" if key in _WITHOUT_EFFECT else "is unknown"
    tell(path, line_of(text, table, key), f"{table}.{key}", why)


def _overlay_options(
    path: str, text: str, options: dict[str, Any], overlay: dict[str, Any]
) -> dict[str, Any]:
    """[storage.options.overlay], and its older spelling directly in [storage.options]."""
    found: dict[str, Any] = {}
    for table, content in (("storage.options", options), ("storage.options.overlay", overlay)):
        for key, value in content.items():
            if key in _OVERLAY:
                try:
                    found[key] = _overlay_value(key, value)
                except UsageError as error:
                    line = line_of(text, table, key)
                    raise ConfigurationError(
                        path, error.message, line=line, key=f"{table}.{key}"
                    ) from error
            elif content is overlay:
                _tell_storage_key(path, text, table, key)
    return found


def _overlay_value(key: str, value: Any) -> Any:
    """A string; a truth value may be written as one ("true"), which is how storage.conf(5) shows it."""
    if key == "ignore_chown_errors":
        return value if isinstance(value, bool) else _truth(key, value)
    if not isinstance(value, str):
        raise UsageError(TYPES["text"][1])
    return value


def _table(
    path: str, text: str, parent: dict[str, Any], key: str, where: str = ""
) -> dict[str, Any]:
    content = parent.get(key, {})
    if not isinstance(content, dict):
        name = f"{where}.{key}" if where else key
        raise ConfigurationError(path, "must be a table", line=line_of(text, where, key), key=name)
    return content


def _with_environment(settings: StorageSettings, places: Places) -> StorageSettings:
    """$STORAGE_DRIVER, and $STORAGE_OPTS with commas between its options; podman(1), "ENVIRONMENT VARIABLES"."""
    if places.storage_driver:
        if places.storage_driver not in _DRIVERS:
            allowed = f"one of {', '.join(_DRIVERS)}"
            raise InvalidValue("$STORAGE_DRIVER", places.storage_driver, allowed)
        settings = settings.replace(driver=places.storage_driver)
    for option in filter(None, places.storage_options.split(",")):
        settings = with_storage_option(settings, option, "$STORAGE_OPTS")
    return settings


def with_storage_option(
    settings: StorageSettings, text: str, origin: str = "--storage-opt"
) -> StorageSettings:
    """One `--storage-opt [DRIVER.]KEY=VALUE`, such as overlay.mount_program=/usr/bin/fuse-overlayfs."""
    name, equals, value = text.partition("=")
    key = name.rpartition(".")[2]
    if not equals or key not in _OVERLAY:
        raise InvalidValue(origin, text, f"KEY=VALUE, the keys being {', '.join(_OVERLAY)}")
    return settings.replace(**{key: _overlay_value(key, value)})
