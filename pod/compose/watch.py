"""`compose watch`: what is saved on this machine is brought into containers, or has them restarted or built again.

One process waits for the kernel to tell of changes (linux/inotify_tree.py), gathers those that belong together, and
does what the rules say. What fails is told, and watching goes on.
"""

from __future__ import annotations

import errno
import os
import select
import signal
import time

from pod.base import log
from pod.base.errors import PodError
from pod.compose import identity, members
from pod.compose.errors import ComposeError
from pod.compose.watch_rules import rules_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from pod.compose.images import ImageOptions
    from pod.compose.members import Member
    from pod.compose.project import Project
    from pod.compose.resources import Tell
    from pod.compose.watch_rules import Rule
    from pod.engine.context import Engine
    from pod.linux.inotify_tree import Tree
    from pod.spec.container import ContainerConfig

_QUIET_MS = 8
"""How long nothing more must have come before a change is acted upon: writers of several files are faster."""
_GATHER_SECONDS = 0.05


class Watcher:
    """Watches for a project. `changed` is called when containers were restarted or replaced by others."""

    def __init__(
        self,
        engine: Engine,
        project: Project,
        services: Sequence[str],
        base: ContainerConfig,
        images: ImageOptions,
        tell: Tell,
        *,
        prune: bool = True,
        changed: Callable[[], None] = lambda: None,
    ) -> None:
        """Raises FileError, and ComposeError when there is nothing to watch."""
        self._engine = engine
        self._project = project
        self._base = base
        self._images = images
        self._tell = tell
        self._prune = prune
        self._changed = changed
        self._rules = _without_mounted(project, rules_of(project, services))
        if not self._rules:
            raise ComposeError(
                "there is nothing to watch: no service has 'develop: {watch: ...}'",
                hint="develop: {watch: [{path: DIRECTORY, action: sync, target: /DIRECTORY}]}",
            )

    @property
    def rules(self) -> Sequence[Rule]:
        """What is watched for."""
        return self._rules

    def watch(self, stop_fd: int = -1) -> None:
        """Watch until `stop_fd` is readable, which need not be. Ends by a signal otherwise."""
        trees = [(rule, _tree(rule)) for rule in self._rules]
        try:
            for rule in self._rules:
                if rule.initial and rule.syncs:
                    self._try(self._sync, [rule], {rule.index: _everything(rule)})
            for rule in self._rules:
                self._tell("Watching", rule.path, f"{rule.action} {rule.service}")
            self._loop(trees, stop_fd)
        finally:
            for _, tree in trees:
                tree.close()

    def _loop(self, trees: Sequence[tuple[Rule, Tree]], stop_fd: int) -> None:
        poll = select.poll()
        for _, tree in trees:
            poll.register(tree.fileno(), select.POLLIN)
        if stop_fd >= 0:
            poll.register(stop_fd, select.POLLIN)
        while True:
            ready = {fd for fd, _ in poll.poll()}
            deadline = time.monotonic() + _GATHER_SECONDS
            found: dict[int, set[str]] = {}
            while ready and stop_fd not in ready:
                for number, (rule, tree) in enumerate(trees):
                    if tree.fileno() in ready:
                        paths = {path for path in tree.take() if rule.matters(path)}
                        if paths:
                            found.setdefault(number, set()).update(paths)
                if time.monotonic() >= deadline:
                    break
                ready = {fd for fd, _ in poll.poll(_QUIET_MS)}
            if stop_fd in ready:
                return
            services: dict[str, list[int]] = {}
            for number in found:
                services.setdefault(trees[number][0].service, []).append(number)
            for name, numbers in services.items():
                rules = [trees[number][0] for number in numbers]
                changes = {trees[number][0].index: found[number] for number in numbers}
                self._try(self._act, name, rules, changes)

    def _try(self, action: Callable[..., None], *arguments: object) -> None:
        interrupted = signal.getsignal(signal.SIGINT)
        try:
            action(*arguments)
        except (PodError, OSError) as error:
            hint = getattr(error, "hint", None)
            text = error.message if isinstance(error, PodError) else str(error)
            log.error(f"{text}{f' ({hint})' if hint else ''}; watching goes on")
        finally:
            signal.signal(signal.SIGINT, interrupted)  # a build leaves it to the kernel

    def _act(self, name: str, rules: Sequence[Rule], changes: dict[int, set[str]]) -> None:
        """What the changes of one service lead to; a new image makes the rest superfluous."""
        actions = {rule.action for rule in rules}
        if "rebuild" in actions:
            self._rebuild(name)
            return
        self._sync([rule for rule in rules if rule.syncs], changes)
        for rule in rules:
            if rule.action == "sync+exec":
                self._execute(rule)
        if actions & {"restart", "sync+restart"}:
            self._restart(name)

    def _members(self, name: str) -> list[Member]:
        found = members.of_project(self._engine, self._project.name)
        return [member for member in found if member.service == name]

    def _sync(self, rules: Sequence[Rule], changes: dict[int, set[str]]) -> None:
        from pod.engine import sync

        if not rules:
            return
        pairs = [
            (path, rule.target_of(path)) for rule in rules for path in sorted(changes[rule.index])
        ]
        for member in self._members(rules[0].service):
            if not member.is_running:
                continue
            sync.sync(self._engine, member.name, pairs)
            for source, _ in pairs[:1]:
                more = f" and {len(pairs) - 1} more" if len(pairs) > 1 else ""
                self._tell("Container", member.name, f"Synced {self._shown(source)}{more}")

    def _shown(self, path: str) -> str:
        return path.removeprefix(f"{self._project.directory}/")

    def _execute(self, rule: Rule) -> None:
        from pod.compose import hooks

        for member in self._members(rule.service):
            if member.is_running:
                what = f"develop.watch[{rule.index}].exec"
                hooks.run_one(
                    self._engine, self._project, rule.service, member.name, rule.hook, what
                )
                self._tell("Container", member.name, "Executed")

    def _restart(self, name: str) -> None:
        from pod.compose import life

        for error in life.restart(self._engine, self._project, self._members(name), self._tell):
            raise error
        self._changed()

    def _rebuild(self, name: str) -> None:
        """Build the image, and replace the containers of the service by such as are made from it."""
        from pod.compose import images, up
        from pod.compose.lock import ProjectLock

        before = images.present(self._engine, self._project, [name])
        images.build(self._engine, self._project, name, self._images)
        self._tell("Image", identity.image_name(self._project, name), "Built")
        with ProjectLock(self._engine, self._project.name) as lock:
            ids = images.present(self._engine, self._project, [name])
            options = up.UpOptions(services=(name,), no_deps=True, keep_fds=(lock.fd,))
            errors = up.up(self._engine, self._project, options, ids, self._base, self._tell)
        for error in errors:
            raise error
        if self._prune:
            self._remove_old(before, ids)
        for rule in self._rules:
            if rule.service == name and rule.initial and rule.syncs:
                self._sync([rule], {rule.index: _everything(rule)})
        self._changed()

    def _remove_old(self, before: dict[str, str], now: dict[str, str]) -> None:
        """Remove the image that the new one has taken the name of, unless something uses it."""
        from pod.engine import image_remove

        for reference, image_id in before.items():
            if image_id and now.get(reference) not in {"", image_id}:
                try:
                    image_remove.remove(self._engine, image_id, force=False)
                except PodError as error:
                    log.info(error.message)


def has_rules(project: Project, services: Iterable[str]) -> bool:
    """Whether there is something to watch."""
    return any((project.service(name).get("develop") or {}).get("watch") for name in services)


def _tree(rule: Rule) -> Tree:
    from pod.linux.inotify_tree import Tree

    try:
        return Tree(rule.path, rule.skips)
    except OSError as error:
        limits = {errno.ENOSPC: "max_user_watches", errno.EMFILE: "max_user_instances"}
        if error.errno not in limits:
            raise
        raise ComposeError(
            f"'{rule.path}' cannot be watched: the kernel's limit fs.inotify.{limits[error.errno]} is reached",
            hint="ignore: leaves out directories such as node_modules",
        ) from error


def _everything(rule: Rule) -> set[str]:
    """All paths of a rule that there are now."""
    found: set[str] = set()
    waiting = [rule.path]
    while waiting:
        path = waiting.pop()
        if rule.matters(path) and not (path == rule.path and os.path.isdir(path)):
            found.add(path)
        if os.path.isdir(path) and not os.path.islink(path) and not rule.skips(path):
            waiting += [entry.path for entry in os.scandir(path)]
    return found


def _without_mounted(project: Project, rules: Iterable[Rule]) -> list[Rule]:
    """Those of paths that are not in the container anyway, which is said of the others."""
    found = []
    for rule in rules:
        mounted = [
            mount
            for mount in project.service(rule.service).get("volumes") or ()
            if mount["type"] == "bind" and _covers(mount, rule)
        ]
        if mounted and rule.syncs:
            log.warning(
                f"service '{rule.service}': '{rule.path}' is not watched, since it is mounted in the container"
            )
        else:
            found.append(rule)
    return found


def _covers(mount: object, rule: Rule) -> bool:
    source, target = os.path.normpath(mount["source"]), os.path.normpath(mount["target"])  # type: ignore[index]
    if rule.path != source and not rule.path.startswith(f"{source}/"):
        return False
    return os.path.normpath(rule.target) == os.path.normpath(f"{target}{rule.path[len(source) :]}")
