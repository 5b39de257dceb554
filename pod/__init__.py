"""pod as a library: the names that programs may use, each imported when it is first asked for.

    engine = pod.Engine()
    config = pod.container_preset(engine.settings).replace(image="busybox", command=("echo", "hello"))
    status = pod.run(engine, config, pod.RunOptions(), pod.PullOptions(), print)

Errors are PodErrors. Importing this module imports nothing: every command does it.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from pod.base.errors import PodError as PodError
    from pod.engine.context import Engine as Engine
    from pod.engine.exec import ExecOptions as ExecOptions
    from pod.engine.exec import execute as execute
    from pod.engine.images import PullOptions as PullOptions
    from pod.engine.inspect import document as inspect  # noqa: F401
    from pod.engine.list import containers as containers
    from pod.engine.presets import container_preset as container_preset
    from pod.engine.pull import pull as pull
    from pod.engine.remove import remove as remove
    from pod.engine.run import RunOptions as RunOptions
    from pod.engine.run import create_only as create  # noqa: F401
    from pod.engine.run import run as run
    from pod.engine.start import start as start
    from pod.engine.stop import stop as stop
    from pod.spec.container import ContainerConfig as ContainerConfig

_PUBLIC = {
    # name: (module, its name there)
    "ContainerConfig": ("pod.spec.container", "ContainerConfig"),
    "Engine": ("pod.engine.context", "Engine"),
    "ExecOptions": ("pod.engine.exec", "ExecOptions"),
    "PodError": ("pod.base.errors", "PodError"),
    "PullOptions": ("pod.engine.images", "PullOptions"),
    "RunOptions": ("pod.engine.run", "RunOptions"),
    "container_preset": ("pod.engine.presets", "container_preset"),
    "containers": ("pod.engine.list", "containers"),
    "create": ("pod.engine.run", "create_only"),
    "execute": ("pod.engine.exec", "execute"),
    "inspect": ("pod.engine.inspect", "document"),
    "pull": ("pod.engine.pull", "pull"),
    "remove": ("pod.engine.remove", "remove"),
    "run": ("pod.engine.run", "run"),
    "start": ("pod.engine.start", "start"),
    "stop": ("pod.engine.stop", "stop"),
}


def __getattr__(name: str) -> Any:
    if name not in _PUBLIC:
        raise AttributeError(f"module 'pod' has no attribute '{name}'")
    module, attribute = _PUBLIC[name]
    return getattr(__import__(module, fromlist=[attribute]), attribute)


def __dir__() -> list[str]:
    return sorted(_PUBLIC)
