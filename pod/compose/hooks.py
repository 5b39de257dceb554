"""`post_start` and `pre_stop`: commands that are run in a container after its start and before it is stopped."""

from __future__ import annotations

from pod.compose.errors import ComposeError
from pod.compose.tree import text_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from pod.compose.project import Project
    from pod.engine.context import Engine


class HookFailed(ComposeError):
    """A command of a hook has ended with another status than 0."""


def run(engine: Engine, project: Project, service: str, container: str, key: str) -> None:
    """Run the hooks of a service in one of its containers, one after the other. Raises HookFailed."""
    for index, hook in enumerate(project.service(service)[key]):
        run_one(engine, project, service, container, hook, f"{key}[{index}]")


def run_one(
    engine: Engine, project: Project, service: str, container: str, hook: Any, what: str
) -> None:
    """Run one command; `what` names it. Raises HookFailed."""
    from pod.compose.reading import is_true
    from pod.engine.exec import ExecOptions, execute

    words = tuple(text_of(word) for word in hook["command"])
    environment = {
        name: project.variables.get(name, "") if value is None else value
        for name, value in (hook.get("environment") or {}).items()
    }
    options = ExecOptions(
        words,
        environment=tuple(f"{name}={value}" for name, value in environment.items()),
        user=hook.get("user"),
        working_directory=hook.get("working_dir", ""),
        privileged=is_true(hook.get("privileged", False)),
    )
    status = execute(engine, container, options)
    if status:
        raise HookFailed(
            f"{what} of service '{service}' ended with status {status}: {' '.join(words)}"
        )
