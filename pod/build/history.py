"""History of an image as `podman build` writes it, and what else an image says about how it was made."""

from __future__ import annotations

import time

from pod.build.dockerfile import instructions as kinds

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from typing import Any

    from pod.build.dockerfile.instructions import Instruction
    from pod.build.dockerfile.variables import Variables
    from pod.build.state import StageState
    from storage.steps import StepRecord

_BASE_NAME = "org.opencontainers.image.base.name"
_BASE_DIGEST = "org.opencontainers.image.base.digest"
_CREATED_NS = "_created_ns"


def added(state: StageState, created_by: str) -> StageState:
    """The state with an entry that has no layer; it gets the time of the layer before it."""
    return _added(state, created_by, {"empty_layer": True}, 0)


def with_layer(state: StageState, record: StepRecord, created_by: str) -> StageState:
    """The state with the result of a step and an entry for it."""
    empty = {} if record.tree else {"empty_layer": True}
    state = state.replace(
        files=state.files.with_step(record),
        latest_ns=max(state.latest_ns, record.created_ns),
    )
    return _added(state, created_by, empty, record.created_ns)


def _added(
    state: StageState, created_by: str, more: Mapping[str, Any], created_ns: int
) -> StageState:
    entry: dict[str, Any] = {_CREATED_NS: created_ns, "created_by": created_by}
    if state.author:
        entry["author"] = state.author
    is_first = not any(_CREATED_NS in it for it in state.history)
    if is_first and state.base_name:
        entry["comment"] = f"FROM {state.base_name}"
    return state.replace(history=(*state.history, {**entry, **more}))


def dated(entries: Sequence[Any], created_ns: int) -> list[dict[str, Any]]:
    """The entries as the image has them. Those without a time get that of the layer before, or `created_ns`."""
    result = []
    first = next((it[_CREATED_NS] for it in entries if it.get(_CREATED_NS)), created_ns)
    latest = first
    for entry in entries:
        if _CREATED_NS not in entry:
            result.append(dict(entry))
            continue
        latest = entry[_CREATED_NS] or latest
        result.append(
            {
                "created": timestamp(latest),
                **entry,
            }
        )
    return result


def plain(entries: Sequence[Any]) -> list[dict[str, Any]]:
    """The entries without what is only for us."""
    return [{key: it for key, it in entry.items() if key != _CREATED_NS} for entry in entries]


def with_time(entries: Sequence[Any], created_ns: int) -> list[dict[str, Any]]:
    """The entries, with this time for those of this build."""
    return [{**it, **({_CREATED_NS: created_ns} if _CREATED_NS in it else {})} for it in entries]


def squashed(entries: Sequence[Any], *, everything: bool) -> list[dict[str, Any]]:
    """The entries of an image whose new layers, or with `everything` all of them, have become one: that of the last."""
    found = [dict(it) for it in entries]
    new = [it for it in found if everything or _CREATED_NS in it]
    for entry in new:
        entry["empty_layer"] = True
    if new:
        del new[-1]["empty_layer"]
        comments = [
            entry.pop("comment") for entry in new if _CREATED_NS in entry and "comment" in entry
        ]
        if comments:
            new[-1]["comment"] = comments[0]
    return found


def timestamp(ns: int) -> str:
    """RFC 3339, as podman writes it."""
    seconds, rest = divmod(ns, 1_000_000_000)
    text = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(seconds))
    fraction = f".{rest:09d}".rstrip("0") if rest else ""
    return f"{text}{fraction}Z"


def nothing_done(instruction: Instruction, variables: Variables) -> str:
    """Of an instruction that makes no layer, as it was written; of ARG the names of all that have a value by now."""
    text = instruction.text
    if isinstance(instruction, kinds.Arg):
        text = " ".join(["ARG", *sorted(variables.declared)])
    return f"/bin/sh -c #(nop) {text}"


def of_labels(labels: Mapping[str, str]) -> list[str]:
    """Of --label, which podman takes for instructions at the end."""
    return [f'/bin/sh -c #(nop) LABEL "{key}"="{value}"' for key, value in labels.items()]


def of_run(instruction: kinds.Run, variables: Variables) -> str:
    """With the arguments that were declared before it."""
    words = [f"{name}={value}" for name, value in sorted(variables.declared.items())]
    declared = f"|{len(words)} {' '.join(words)} " if words else ""
    rest = instruction.text.split(None, 1)[1]
    if instruction.heredocs:
        rest = "".join([rest, *(f"\n{each.content}{each.name}" for each in instruction.heredocs)])
    return f"{declared}/bin/sh -c {rest}"


def of_copy(instruction: kinds.Copy | kinds.Add, content: str) -> str:
    """As it was written. `content` is "file:DIGEST" or "dir:DIGEST"."""
    return f"/bin/sh -c #(nop) {instruction.word.upper()} {content} in {instruction.target} "


def annotations_of(state: StageState) -> dict[str, str]:
    """What the manifest says about where the image comes from."""
    if not state.base_digest:
        return {}
    return {_BASE_DIGEST: state.base_digest, _BASE_NAME: state.base_name}
