"""The cache as a build sees it: a result for a key, if there is one and it may be used."""

from __future__ import annotations

import os
import time

from storage.collect import held
from storage.steps import StepRecord

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

    from pod.build.options import BuildOptions
    from pod.build.progress import Progress, Step
    from storage.collect import Hold
    from storage.store import Store


_SECOND = 1_000_000_000


class Cache:
    """For one build; what it finds or keeps is held until the end of `hold`."""

    def __init__(
        self,
        store: Store,
        options: BuildOptions,
        progress: Progress,
        hold: Hold,
        left_out: frozenset[int] = frozenset(),
    ) -> None:
        """`left_out` are the numbers of steps that are executed in any case."""
        self._store = store
        self._steps = store.steps
        self._options = options
        self._progress = progress
        self._hold = hold
        self._left_out = left_out
        self._begun_ns = time.time_ns()
        self._made: set[str] = set()
        self._refused: set[str] = set()

    def find(self, step: Step, key: str, inputs: Mapping[str, str]) -> StepRecord | None:
        """The result of a step, which is told to whoever watches, or None when it has to be executed."""
        self._hold.add(f"step:{key}")
        record = self._steps.find(key)
        refusal = self._refusal(step, record) if record is not None else ""
        if record is None or refusal:
            if refusal:
                self._refused.add(key)
            why = self._why_not(step, inputs, refusal) if self._options.explain else ""
            self._progress.working(step, why)
            return None
        if record.diff_id:
            self._hold.add(record.diff_id)
        self._steps.note_use([key])
        self._progress.cached(step, "all that it depends on is the same")
        return record

    def keep(
        self,
        step: Step,
        key: str,
        inputs: Mapping[str, str],
        tree: str = "",
        *,
        is_linked: bool = False,
    ) -> StepRecord:
        """Remember a result; from here on it is not lost when the build is killed."""
        replaces = key in self._refused - self._made
        self._made.add(key)
        record = StepRecord(
            key=key,
            created_ns=time.time_ns(),
            text=step.text,
            stage=_place_of(step),
            inputs=dict(inputs),
            is_linked=is_linked,
        )
        if not replaces:
            return self._steps.keep(record, tree)
        with self._store.lock():  # whoever wants it holds it first, under this lock
            if f"step:{key}" not in held(self._store, but=self._hold):
                return self._steps.keep(record, tree, replaces=True)
        # Another build stands on the result that is not wanted here. This one is for us alone: nobody else finds it.
        self._made.discard(key)
        own = os.urandom(32).hex()
        self._hold.add(f"step:{own}")
        return self._steps.keep(record.replace(key=own), tree)

    def recall(self, key: str) -> str:
        """What was remembered under a key; "" for nothing."""
        record = self._steps.find(key)
        return record.result if record is not None else ""

    def remember(self, key: str, result: str) -> None:
        """Keep a word for a key that does not change."""
        self._steps.keep(StepRecord(key=key, created_ns=time.time_ns(), result=result))

    def _refusal(self, step: Step, record: StepRecord) -> str:
        """Why a result may not be used; "" when it may."""
        options = self._options
        if record.key in self._made or record.created_ns >= self._begun_ns:
            return ""  # another stage of this very build has made it, or another build just now
        if not options.use_cache:
            return "--no-cache"
        if step.number in self._left_out:
            return "--no-cache-filter"
        ttl = options.cache_ttl_seconds
        if ttl is not None and time.time_ns() - record.created_ns >= ttl * _SECOND:
            return "its result is older than --cache-ttl"
        return ""

    def _why_not(self, step: Step, inputs: Mapping[str, str], refusal: str) -> str:
        """What has changed since the same place of a Dockerfile was executed last, for --explain."""
        if refusal:
            return refusal
        place = _place_of(step)
        before = [it for it in self._steps.all() if it.stage == place and it.inputs]
        changes = [
            (
                sum(it.inputs.get(name) != value for name, value in inputs.items()),
                -it.created_ns,
                it,
            )
            for it in before
            if it.inputs.keys() == inputs.keys()
        ]
        if not changes:
            return "there is no result of it"
        nearest = min(changes, key=lambda it: it[:2])[2]
        names = [name for name, value in inputs.items() if nearest.inputs[name] != value]
        return f"changed: {', '.join(names)}"


def _place_of(step: Step) -> str:
    return f"{step.stage} {step.number} {step.platform}".strip()
