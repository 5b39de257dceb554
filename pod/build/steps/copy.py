"""COPY and ADD: which files they mean, what those are as a digest, and the step that copies them."""

from __future__ import annotations

import os
import stat

from pod.base import faults
from pod.build import effects, files, history, keys
from pod.build.staged import Staged
from pod.build.steps import copying
from pod.build.tasks import Job
from pod.linux import idmap

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Generator
    from typing import Any

    from pod.build.builder import Builder
    from pod.build.dockerfile.instructions import Add, Copy
    from pod.build.progress import Step
    from pod.build.state import StageState


def copy(
    builder: Builder, step: Step, state: StageState, instruction: Copy | Add
) -> Generator[Any, Any, StageState]:
    """The state after the files have been copied."""
    target = effects.resolved(state.config, instruction.target)
    if instruction.target.endswith(("/", "/.")) or instruction.target in {".", ".."}:
        target = target.rstrip("/") + "/"
    root = builder.context.directory
    sources = [
        copying.Source(
            os.path.normpath(source.strip("/") or "."),
            os.path.basename(source.rstrip("/")),
            os.path.isdir(f"{root}/{source}"),
        )
        for source in instruction.sources
    ]
    content = keys.digest_of_all(_describe(f"{root}/{source.path}") for source in sources)
    inputs = {"files before it": state.files.key, "target": target, "content": content}
    key = keys.of("copy", inputs)
    record = builder.cache.find(step, key, inputs)
    if record is None:
        staged = Staged(builder.store, files.lowers(builder.store, state.files))
        try:

            def work() -> None:
                copying.copy(
                    staged.mount(),
                    f"{staged.path}/rootfs",
                    root,
                    sources,
                    target,
                    owner=(0, 0),
                    mode=None,
                )

            yield lambda: Job(idmap.start_inside(work, what="copy files"))
            faults.step("build: copied")
            record = builder.cache.keep(step, key, inputs, staged.upper)
        finally:
            staged.discard()
        builder.progress.done(step)
    kind = "dir" if len(sources) > 1 or sources[0].is_directory else "file"
    return history.with_layer(state, record, history.of_copy(instruction, f"{kind}:{content}"))


def _describe(path: str) -> str:
    """What a file or tree is, as text."""
    status = os.lstat(path)
    mode = f"{os.path.basename(path)} {status.st_mode:o}"
    if stat.S_ISDIR(status.st_mode):
        return "\n".join(
            [mode, *(_describe(f"{path}/{name}") for name in sorted(os.listdir(path)))]
        )
    if stat.S_ISLNK(status.st_mode):
        return f"{mode} {os.readlink(path)}"
    with open(path, "rb") as file:
        return f"{mode} {keys.digest_of_bytes(file.read())}"
