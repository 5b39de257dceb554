"""What few commands ask of a monitor: the second half of a start, another order, another name."""

from __future__ import annotations

import marshal

from pod.base import exits
from pod.base.errors import PodError
from pod.linux import processes
from pod.spec import monitor as protocol
from pod.spec import restart

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from pod.monitor.attach import Client
    from pod.monitor.main import Watch


def answer(watch: Watch, client: Client, name: str, value: Any) -> None:
    """Do what the message `name` of pod/spec/monitor.py asks for: LET_GO, ORDER or RENAMED."""
    if name == protocol.LET_GO:
        let_go(watch, client, wants_output=value)
        return
    if name == protocol.ORDER:
        change_order(watch, value)
    else:
        rename(watch, value)
    client.send(protocol.NOTED)


def let_go(watch: Watch, client: Client, *, wants_output: bool) -> None:
    """The second half of a start, for a command that asks for it; it is told how that went."""
    from pod.monitor import starting

    held, watch.held = watch.held, None
    if held is None:
        client.send(protocol.ERROR, *processes.describe_error(PodError("it has been started")))
        return
    watch.order["held"] = False
    client.wants_output = wants_output
    try:
        started = starting.let_go(
            watch.order, watch.files, held, starting.Started(**watch.started), 0
        )
    except BaseException as error:  # noqa: BLE001  told to the command; the process ends here
        watch.streams.close()
        watch.release()
        client.send(protocol.ERROR, *processes.describe_error(error))
        watch.flush_clients()
        processes.leave(exits.FAILED)
    watch.started = dict(started.__dict__)
    watch.begin_timers()
    watch.tell("start")
    if wants_output:
        watch.tell("attach")
    watch.say_started(client)


def change_order(watch: Watch, order: dict[str, Any]) -> None:
    """Start the container by another order the next time, in the same cgroup, which is the one that is cleared up."""
    order["bundle"]["cgroup"] = watch.order["bundle"]["cgroup"]
    order["bundle"]["scope"] = {}
    if watch.notifier is not None:
        watch.notifier.add_to(order)
    if order["health"]:
        order["health"]["check"]["cgroup"] = order["bundle"]["cgroup"]
    _set_name(order, _name(watch.order))  # whoever gave the order may have looked before a `rename`
    watch.restart_policy = restart.RestartPolicy.from_json(order["restart"])
    watch.order["restart"] = order["restart"]
    needed = order["restart"] or order["health"]
    watch.order["packed"] = marshal.dumps(order) if needed else b""
    _change_health(watch, order["health"])


def _change_health(watch: Watch, settings: dict[str, Any] | None) -> None:
    """Check the health in this way from now on; None for not at all."""
    watch.order["health"] = settings
    if watch.health is not None and settings is not None:
        watch.health.change(settings)
    elif watch.health is not None:
        watch.health.end()
        watch.health = None
    elif watch.held is None:
        watch.begin_health()


def rename(watch: Watch, name: str) -> None:
    """Give events of the container, and the log of its next start, another name."""
    _set_name(watch.order, name)
    if watch.order.get("packed"):
        order = marshal.loads(watch.order["packed"])
        _set_name(order, name)
        watch.order["packed"] = marshal.dumps(order)
    if watch.health is not None:
        check = watch.health.settings_of_check()
        check["events"]["container"]["name"] = name
        watch.health.keep(check)


def _name(order: dict[str, Any]) -> str:
    name: str = order["events"]["container"]["name"]
    return name


def _set_name(order: dict[str, Any], name: str) -> None:
    order["events"]["container"]["name"] = order["log"]["name"] = name
    if order["health"]:
        order["health"]["check"]["events"]["container"]["name"] = name
