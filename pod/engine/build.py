"""`pod build`: what a build needs of the engine, and the image that comes of it."""

from __future__ import annotations

import os
import time

from pod.base import locks, log, paths
from pod.base.errors import PodError
from pod.build import asked, history
from pod.build.builder import Builder
from pod.build.contexts import Contexts
from pod.build.dockerfile.parser import parse
from pod.build.host import Order
from pod.build.nest import Nest
from pod.build.options import Built
from pod.build.planner import plan
from pod.build.result import created_of, make_image
from pod.build.state import StageState
from pod.build.tasks import Job, Tasks
from pod.engine import build_cache, build_leftovers, build_networks, images
from pod.engine.build_checks import check, check_arguments, check_devices
from pod.engine.build_results import Made, check_outputs, deliver, names_at_once, pull_options
from pod.image.platform import host_platform, parse_platform
from pod.linux import processes
from pod.spec.container import ContainerConfig
from storage import behind

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Mapping
    from typing import Any

    from pod.build.dockerfile.instructions import Instruction
    from pod.build.options import BuildOptions, NamedContext
    from pod.build.planner import Plan
    from pod.build.progress import Progress
    from pod.engine.context import Engine
    from storage.collect import Hold
    from storage.images import ImageRecord
    from storage.store import Store

_FEWEST_JOBS = 4


def build(engine: Engine, options: BuildOptions, progress: Progress) -> Built:
    """Build; what came of it is in the store, or where --output says. Call with a single thread."""
    options = build_networks.with_networks(engine, options)
    if _joins(options.run):
        from pod.engine import build_namespaces  # few builds do

        options = options.replace(run=build_namespaces.with_joined(engine, options.run))
    check_outputs(options)
    if options.run.runtime:
        from pod.engine import launch  # few builds want another runtime

        launch.runtime_command(engine, options.run.runtime)  # which is there
    check_devices(options)
    own = host_platform()
    if options.cache_from or options.cache_to:
        from pod.engine import build_cache_share  # heavy: what pulls and pushes
    with (
        engine.store.hold() as hold,
        _Host(engine, options, progress) as host,
        Contexts(options, engine.store.staging, notify=progress.message) as contexts,
    ):
        host.contexts = contexts
        context = contexts.main()
        dockerfile = parse(context.dockerfile, context.dockerfile_name)
        dockerfile = asked.with_base(dockerfile, options)
        if options.all_platforms:
            from pod.engine import build_platforms  # few builds are for all

            fetch = pull_options(options, "", progress)
            all_of_them = build_platforms.of_bases(engine, dockerfile, options, own, fetch)
            options = options.replace(platforms=all_of_them)
            check_outputs(options)
        platforms = [parse_platform(text) for text in options.platforms] or [own]
        plans = [
            plan(dockerfile, options, platform, own, shows_platform=len(platforms) > 1)
            for platform in platforms
        ]
        warn = log.warning if options.check else _warner(progress)
        is_unknown = check(engine, options, dockerfile, plans[0].stages, context, warn)
        if options.check:
            return Built(id="")
        progress.begin([step for planned in plans for step in planned.steps])
        if options.cache_from:
            build_cache_share.fetch(engine, options, progress, hold)
        tasks = Tasks(options.jobs or max(_FEWEST_JOBS, 2 * (os.cpu_count() or 1)), progress.tick)
        triggers: list[Instruction] = []
        for planned in plans:
            Builder(host, options, progress, planned, context, hold, triggers).add_to(tasks)
        results = {name: it for name, it in tasks.run().items() if isinstance(it, StageState)}
        if is_unknown:
            check_arguments(options, dockerfile, triggers, warn)
        progress.exporting(options.tags[0] if options.tags else "image")
        made = [
            _made(engine, options, planned, results[planned.target.task], hold) for planned in plans
        ]
        if options.cache_to:
            targets = {planned.target.task for planned in plans}
            states = [it for task, it in results.items() if task not in targets]
            first, *others = [results[planned.target.task] for planned in plans]
            build_cache_share.send(engine, options, first, [*others, *states], progress, hold)
        built = deliver(engine, options, made, progress, hold)
    engine.close()
    behind.start(lambda: _settle(engine))
    return built


def _joins(run: ContainerConfig) -> bool:
    """Whether commands are in namespaces of others."""
    asked = (run.pid, run.ipc, run.uts, run.cgroupns, run.userns, run.networking.network)
    return any(it.mode in {"container", "ns"} for it in asked)


def _warner(progress: Progress) -> Callable[[str], None]:
    """Tells `progress` of warnings, which has its own way to show them."""
    return lambda text: progress.message(f"warning: {text}")


def _made(
    engine: Engine, options: BuildOptions, planned: Plan, state: StageState, hold: Hold
) -> Made:
    """The image of one platform."""
    state = asked.finished(state, options)
    fixed = options.source_date_epoch if options.timestamp is None else options.timestamp
    entries = state.history
    if fixed is not None:
        created_ns = fixed * 1_000_000_000
        entries = tuple(history.with_time(entries, created_ns))
    else:
        created_ns = state.latest_ns or created_of(engine.store, state, time.time_ns())
    state = state.replace(
        created=history.timestamp(created_ns),
        history=tuple(history.dated(entries, created_ns)),
    )
    image = make_image(engine.store, state, options, hold, names_at_once(options))
    return Made(str(planned.platform), image)


def _settle(engine: Engine) -> None:
    """What nobody waits for."""
    engine.store.steps.settle()
    engine.store.discard_after_cut()
    build_cache.keep_small(engine)


class _Host:
    """What pod/build/host.py says. A context: leaving it removes the run directory."""

    def __init__(self, engine: Engine, options: BuildOptions, progress: Progress) -> None:
        self._engine = engine
        self._options = options
        self._progress = progress
        self.contexts: Contexts | None = None
        self.nest = Nest()
        self.run_directory = f"{build_leftovers.directory(engine)}/{os.urandom(8).hex()}"
        self._lock = locks.FileLock(f"{self.run_directory}.lock")

    def __enter__(self) -> _Host:
        paths.make_private(os.path.dirname(self.run_directory))
        self._lock.acquire()
        os.mkdir(self.run_directory, 0o700)
        return self

    def __exit__(self, *_: object) -> None:
        self.nest.__exit__()
        build_leftovers.remove(self.run_directory)
        self._lock.remove()

    def end(self, order: Order) -> None:
        build_leftovers.end_command(order.network["run_directory"])
        if order.network["backend"] == "networks":
            build_networks.dismiss(self._engine, order)

    @property
    def store(self) -> Store:
        return self._engine.store

    def image(self, name: str, platform: str) -> Generator[Any, Any, ImageRecord]:
        options = pull_options(self._options, platform, self._progress)
        if name.startswith("sha256:"):
            options = options.replace(policy="missing")  # from an OCI layout just now
        if not images.is_to_be_fetched(self._engine, name, options):
            return images.ensure(self._engine, name, options)
        from pod.engine import build_pull  # base images are mostly here

        return (yield from build_pull.fetch(self._engine, name, options, self._progress))

    def context_directory(self, name: str) -> Generator[Any, Any, str]:
        context = self._context(name)
        if context.kind in {"image", "oci-layout"}:
            return ""
        if context.kind == "directory":
            return context.value
        assert self.contexts is not None
        work = self.contexts.fetching(context.value, f"context '{name}'")
        what = f"fetch '{context.value}'"
        found: str = yield lambda: Job(processes.fork(work, what=what))
        return found

    def context_image(self, name: str, platform: str) -> Generator[Any, Any, str]:
        context = self._context(name)
        if context.kind == "image":
            return context.value
        if context.kind == "oci-layout":
            return (yield from self.image(f"oci:{context.value}", platform)).id
        raise PodError(
            f"the build context '{name}' is a directory, and FROM takes an image",
            hint=f"COPY --from={name} takes files of it",
        )

    def _context(self, name: str) -> NamedContext:
        return next(it for it in self._options.contexts if it.name == name)

    def default_environment(self) -> dict[str, str]:
        from pod.engine import create  # heavy

        return create.default_environment(self._engine)

    def order(
        self,
        config: ContainerConfig,
        identifier: str,
        directory: str,
        layers: Mapping[str, tuple[str, ...]],
    ) -> Order:
        from pod.engine import build_order  # heavy: what a start needs

        return build_order.order(
            self._engine,
            config,
            identifier,
            directory,
            f"{self.run_directory}/{identifier[:16]}",
            layers,
            self.nest,
            self._options.runtime_flags,
        )
