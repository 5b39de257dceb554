"""The cache as a build sees it: a result for a key, if there is one and it may be used."""

from __future__ import annotations

import time

from storage.steps import StepRecord

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

    from pod.build.options import BuildOptions
    from pod.build.progress import Progress, Step
    from storage.collect import Hold
    from storage.store import Store


class Cache:
    """For one build; what it finds or keeps is held until the end of `hold`."""

    def __init__(self, store: Store, options: BuildOptions, progress: Progress, hold: Hold) -> None:
        self._steps = store.steps
        self._options = options
        self._progress = progress
        self._hold = hold
        self._made: set[str] = set()

    def find(self, step: Step, key: str, inputs: Mapping[str, str]) -> StepRecord | None:
        """The result of a step, which is told to whoever watches, or None when it has to be executed."""
        self._hold.add(f"step:{key}")
        record = self._steps.find(key)
        if record is not None and not self._may_use(step, record):
            record = None
        if record is None:
            self._progress.working(step)
            return None
        if record.diff_id:
            self._hold.add(record.diff_id)
        self._steps.note_use([key])
        self._progress.cached(step)
        return record

    def keep(self, step: Step, key: str, inputs: Mapping[str, str], tree: str = "") -> StepRecord:
        """Remember a result; from here on it is not lost when the build is killed."""
        if key not in self._made and not self._options.use_cache:
            self._steps.remove(key)
        self._made.add(key)
        record = StepRecord(
            key=key,
            created_ns=time.time_ns(),
            text=step.text,
            stage=f"{step.stage} {step.number} {step.platform}".strip(),
            inputs=dict(inputs),
        )
        return self._steps.keep(record, tree)

    def recall(self, key: str) -> str:
        """What was remembered under a key; "" for nothing."""
        record = self._steps.find(key)
        return record.result if record is not None else ""

    def remember(self, key: str, result: str) -> None:
        """Keep a word for a key that does not change."""
        self._steps.keep(StepRecord(key=key, created_ns=time.time_ns(), result=result))

    def _may_use(self, step: Step, record: StepRecord) -> bool:
        options = self._options
        if record.key in self._made:
            return True  # by another stage of this very build
        if not options.use_cache or step.stage in options.no_cache_stages:
            return False
        ttl = options.cache_ttl_seconds
        return ttl is None or time.time_ns() - record.created_ns < ttl * 1_000_000_000
