"""The options of pod itself -> the engine."""

from __future__ import annotations

import os

from pod.base.errors import UsageError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pod.cli.declare import Arguments
    from pod.engine.context import Engine


def open_engine(options: Arguments) -> Engine:
    """The engine that `options` describe. It opens its database and stores on first use."""
    from pod.engine.context import Engine

    credentials = options.text("config")
    if credentials is not None and not os.path.isdir(credentials):
        raise UsageError(f"'{credentials}' of --config is not a directory")
    events_backend = options.text("events_backend")
    if events_backend == "journald":
        from pod.base.errors import Unsupported

        raise Unsupported("--events-backend=journald", "pod keeps events in a file of its own")
    if events_backend not in {None, "file", "none"}:
        raise UsageError(
            f"invalid argument '{events_backend}' for '--events-backend': expected is file or none"
        )
    return Engine(
        root=options.text("root"),
        runroot=options.text("runroot"),
        volume_path=options.text("volumepath"),
        storage_driver=options.text("storage_driver"),
        storage_options=options.texts("storage_opt"),
        runtime=options.text("runtime"),
        runtime_flags=options.texts("runtime_flag"),
        hooks_dirs=options.texts("hooks_dir"),
        cdi_spec_dirs=options.texts("cdi_spec_dir"),
        network_command=options.text("network_cmd_path"),
        modules=options.texts("module"),
        credentials_directory=credentials,
        events_backend=events_backend,
        cgroup_manager=options.text("cgroup_manager"),
    )
