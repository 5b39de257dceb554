"""The options of pod itself -> the engine."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from pod.cli.declare import Arguments


def open_engine(options: Arguments) -> Any:
    """The engine that `options` describe. It opens its database and stores on first use."""
    __import__("pod.engine.context")
    import sys

    engine = sys.modules["pod.engine.context"].Engine
    return engine(
        root=options.text("root"),
        runroot=options.text("runroot"),
        volume_path=options.text("volumepath"),
        storage_driver=options.text("storage_driver"),
        storage_options=options.texts("storage_opt"),
        runtime=options.text("runtime"),
        runtime_flags=options.texts("runtime_flag"),
        cgroup_manager=options.text("cgroup_manager"),
        network_command=options.text("network_cmd_path"),
        modules=options.texts("module"),
        credentials_directory=options.text("config"),
    )
