"""What `up` will do with each container of a project, and why: keep, start, create, recreate or remove it.

Nothing is changed here, so that --dry-run can say the same. A container is recreated when the configuration of its
service is another than the one that it was made from, when its image has a new version, or when it shares namespaces
or volumes of one that is recreated.
"""

from __future__ import annotations

from pod.base.records import Record
from pod.compose import identity, resources
from pod.compose.project import dependencies, replicas

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from pod.compose.members import Member
    from pod.compose.project import Project

KEEP, START, CREATE, RECREATE, RESTART, REMOVE = (
    "keep", "start", "create", "recreate", "restart", "remove",
)  # fmt: skip


class Wishes(Record):
    """What the command line says about existing containers."""

    force_recreate: bool = False
    no_recreate: bool = False
    always_recreate_deps: bool = False
    scale: Mapping[str, int] = {}
    rebuilt: frozenset[str] = frozenset()
    """Services whose image was just built or pulled; only for the reason that is given."""


class Step:
    """What becomes of one container. `existing` is the one that there is; `leftovers` are others of the same number."""

    __slots__ = ("action", "existing", "hash", "leftovers", "number", "reason", "service")

    def __init__(
        self,
        service: str,
        number: int,
        action: str,
        reason: str,
        existing: Member | None,
        leftovers: Sequence[Member] = (),
        config_hash: str = "",
    ) -> None:
        self.service = service
        self.number = number
        self.action = action
        self.reason = reason
        self.existing = existing
        self.leftovers = tuple(leftovers)
        self.hash = config_hash

    def name(self, project: Project) -> str:
        if self.action in {KEEP, START, RESTART, REMOVE} and self.existing is not None:
            return self.existing.name
        return identity.container_name(project, self.service, self.number)


class Plan:
    """The steps of all services, by service in the order of their dependencies; and what belongs to no service."""

    def __init__(self, steps: dict[str, list[Step]], orphans: list[Member]) -> None:
        self.steps = steps
        self.orphans = orphans

    @property
    def changes(self) -> bool:
        return any(step.action != KEEP for steps in self.steps.values() for step in steps)


def make(
    project: Project,
    members: Iterable[Member],
    services: Sequence[str],
    asked: Sequence[str],
    images: Mapping[str, str],
    wishes: Wishes,
) -> Plan:
    """The plan for `services`, in order. `asked` were named, the others are what those depend on.

    `images` are the ids of the images that services have now, by image name.
    """
    by_service: dict[str, list[Member]] = {}
    for member in members:
        by_service.setdefault(member.service, []).append(member)
    steps: dict[str, list[Step]] = {}
    for name in services:
        steps[name] = _of_service(
            project, name, by_service.get(name, []), name in asked, images, wishes, steps
        )
    known = {*project.services, *project.inactive}
    orphans = [
        member for name, found in by_service.items() if name not in known for member in found
    ]
    return Plan(steps, orphans)


def in_order(project: Project, names: Iterable[str]) -> list[str]:
    """Services with those that they depend on, dependencies first."""
    found: dict[str, None] = {}

    def visit(name: str) -> None:
        if name in found or name not in project.services:
            return
        for other in dependencies(project.services[name]):
            visit(other)
        found[name] = None

    for name in names:
        visit(name)
    return list(found)


def _of_service(
    project: Project,
    name: str,
    members: Sequence[Member],
    is_asked: bool,
    images: Mapping[str, str],
    wishes: Wishes,
    before: Mapping[str, Sequence[Step]],
) -> list[Step]:
    wanted = wishes.scale.get(name, replicas(project.services[name]))
    config_hash = identity.hash_of(project, name, resources.contents(project, name))
    numbered: dict[int, list[Member]] = {}
    for member in members:
        numbered.setdefault(member.number, []).append(member)
    steps = []
    surplus = sorted((it for it in numbered if it > 0), key=lambda it: it > wanted)
    # Numbers may have gaps: as many are kept as are wanted, the lowest first, and free numbers are filled.
    kept = sorted(surplus)[:wanted]
    missing = [n for n in range(1, wanted + len(surplus) + 1) if n not in numbered]
    for number in sorted(kept):
        found = sorted(numbered[number], key=lambda it: it.listed.summary.created_ns, reverse=True)
        action, reason = _verdict(
            project, name, found[0], is_asked, config_hash, images, wishes, before
        )
        steps.append(Step(name, number, action, reason, found[0], found[1:], config_hash))
    for number in missing[: max(0, wanted - len(kept))]:
        steps.append(Step(name, number, CREATE, "there is none yet", None, config_hash=config_hash))
    for number, found in numbered.items():
        if number not in kept:
            reason = f"{wanted} of the service are wanted"
            steps += [Step(name, number, REMOVE, reason, member) for member in found]
    return steps


def _verdict(
    project: Project,
    name: str,
    member: Member,
    is_asked: bool,
    config_hash: str,
    images: Mapping[str, str],
    wishes: Wishes,
    before: Mapping[str, Sequence[Step]],
) -> tuple[str, str]:
    """Action and reason for a container that exists."""
    needed = dependencies(project.services[name])
    remade = [it for it in needed if any(step.action == RECREATE for step in before.get(it, ()))]
    sharing = [it for it in remade if _shares(project, name, it)]
    reason = ""
    if wishes.force_recreate and (is_asked or wishes.always_recreate_deps):
        reason = "--force-recreate"
    elif wishes.always_recreate_deps and not is_asked:
        reason = "--always-recreate-deps"
    elif sharing:
        reason = f"it shares what service '{sharing[0]}' has, which is recreated"
    elif not wishes.no_recreate:
        reason = _difference(project, name, member, config_hash, images)
    if not reason and member.name != identity.container_name(project, name, member.number):
        reason = "a command that was recreating it was interrupted"
        if member.name in {f"{project.name}{sign}{name}{sign}{member.number}" for sign in "-_"}:
            reason = f"it is called {member.name}, which --compatibility changes"
    if reason:
        return RECREATE, reason
    restarting = [it for it in remade if needed[it].get("restart") in {True, "true"}]
    if restarting and member.is_running:
        return RESTART, f"service '{restarting[0]}' is recreated (restart: true)"
    if member.is_running:
        return KEEP, "nothing has changed"
    return START, f"it is {member.state}"


def _difference(
    project: Project, name: str, member: Member, config_hash: str, images: Mapping[str, str]
) -> str:
    if member.hash != config_hash:
        return "the configuration of the service has changed"
    image = images.get(identity.image_name(project, name), "")
    if image and image != member.image_id:
        return f"the image '{identity.image_name(project, name)}' has changed"
    return ""


def _shares(project: Project, name: str, other: str) -> bool:
    """Whether a container of the service cannot do without the very container of the other."""
    service = project.services[name]
    keys = ("network_mode", "ipc", "pid", "uts")
    return any(service.get(key) == f"service:{other}" for key in keys) or any(
        entry.partition(":")[0] == other
        for key in ("volumes_from", "links")
        for entry in service.get(key) or ()
    )
