"""COPY and ADD: what they depend on, and the step that copies when there is no result for that."""

from __future__ import annotations

from pod.base import faults
from pod.build import effects, files, history, keys
from pod.build.staged import Staged
from pod.build.steps import copying, origins
from pod.build.tasks import Job

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Generator
    from typing import Any

    from pod.build.builder import Builder
    from pod.build.dockerfile.instructions import Add, Copy
    from pod.build.progress import Step
    from pod.build.state import StageState


def copy(
    builder: Builder,
    step: Step,
    state: StageState,
    instruction: Copy | Add,
    given: Copy | Add,
) -> Generator[Any, Any, StageState]:
    """The state after the files have been copied. `given` is the instruction before its variables were expanded."""
    target = effects.resolved(state.config, instruction.target)
    if instruction.target.endswith(("/", "/.")) or instruction.target in {".", ".."}:
        target = target.rstrip("/") + "/"
    settings = copying.Settings(
        target=target,
        owner=instruction.chown,
        mode=instruction.chmod,
        working_directory=effects.working_directory(state.config),
        user=state.config.get("User") or "",
        is_linked=instruction.link,
    )
    with origins.Place(builder) as place:
        parts, contents, kind = yield from origins.find(builder, place, instruction, target)
        inputs = {
            "files before it": state.files.key,
            "target": target,
            "content": keys.digest("\n".join(contents)),
            "owner": instruction.chown,
            "mode": instruction.chmod,
            "directory": "" if instruction.target.startswith("/") else settings.working_directory,
        }
        if instruction.link:
            from pod.build.steps import linking

            known = yield from linking.look(builder, place, state, settings)
            settings = settings.replace(directories=known.directories, owner=known.owner)
            inputs["files before it"] = ""
            inputs["owner"] = known.owner
            inputs["directories"] = keys.digest(repr(known.directories))
        key = keys.of(type(instruction).__name__.lower(), inputs)
        record = builder.cache.find(step, key, inputs)
        if record is None:
            lowers = [] if instruction.link else files.lowers(builder.store, state.files)
            staged = Staged(builder.store, lowers)
            try:
                root = staged.mount()

                def work() -> None:
                    copying.copy(
                        root, f"{staged.path}/rootfs", parts, f"{staged.path}/parts", settings
                    )

                yield lambda: Job(builder.nest.start(work, what="copy files"))
                faults.step("build: copied")
                tree = yield from staged.changes(builder.nest)
                record = builder.cache.keep(step, key, inputs, tree, is_linked=instruction.link)
            finally:
                staged.discard()
            builder.progress.done(step)
    created_by = history.of_copy(given, f"{kind}:{inputs['content']}")
    return history.with_layer(state, record, created_by)
