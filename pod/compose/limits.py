"""How much the containers of a service may use, and which devices they get: the keys of the service and `deploy`."""

from __future__ import annotations

from pod.compose.tree import text_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from pod.compose.reading import Reading
    from pod.spec.devices import Device
    from pod.spec.resources import Resources

_KEYS = {
    # key of the file: argument of parse_resources
    "mem_limit": "memory",
    "memswap_limit": "memory_swap",
    "mem_reservation": "memory_reservation",
    "cpus": "cpus",
    "cpu_shares": "cpu_shares",
    "cpu_quota": "cpu_quota",
    "cpu_period": "cpu_period",
    "cpuset": "cpuset_cpus",
    "pids_limit": "pids_limit",
}
_BLKIO_LISTS = {
    "weight_device": "blkio_weight_devices",
    "device_read_bps": "read_bps",
    "device_write_bps": "write_bps",
    "device_read_iops": "read_iops",
    "device_write_iops": "write_iops",
}


def resources(reading: Reading, base: Resources) -> Resources:
    """The limits of a service. What it says itself must not be another than what `deploy` says."""
    service = reading.service
    given: dict[str, Any] = {
        argument: text_of(service[key])
        for key, argument in _KEYS.items()
        if service.get(key) not in (None, 0, "0", "")
    }
    deployed = _deployed(reading)
    for argument, text in deployed.items():
        if argument in given and given[argument] != text:
            raise reading.wrong(
                "deploy", f"deploy.resources says {text}, and the service itself {given[argument]}",
                "resources",
            )  # fmt: skip
    given |= deployed
    blkio = service.get("blkio_config") or {}
    if blkio.get("weight"):
        given["blkio_weight"] = text_of(blkio["weight"])
    for key, argument in _BLKIO_LISTS.items():
        word = "weight" if key == "weight_device" else "rate"
        if blkio.get(key):
            given[argument] = [f"{entry['path']}:{text_of(entry[word])}" for entry in blkio[key]]
    if not given:
        return base

    def parse() -> Resources:
        from pod.spec.resource_options import parse_resources

        return parse_resources(**given)

    key = next((key for key in _KEYS if service.get(key) is not None), "deploy")
    result: Resources = reading.at((key if key in service else "blkio_config",), parse)
    return result


def _deployed(reading: Reading) -> dict[str, str]:
    wanted = (reading.service.get("deploy") or {}).get("resources") or {}
    found: dict[str, str] = {}
    limits, reservations = wanted.get("limits") or {}, wanted.get("reservations") or {}
    for key, argument in (("cpus", "cpus"), ("memory", "memory"), ("pids", "pids_limit")):
        if limits.get(key) not in (None, 0, "0"):
            found[argument] = text_of(limits[key])
    if reservations.get("memory"):
        found["memory_reservation"] = text_of(reservations["memory"])
    return found


def devices(reading: Reading) -> list[Device]:
    """Devices by path or CDI name, and graphics processors."""
    from pod.spec.devices import parse_device, parse_gpus

    found: list[Device] = []
    for index, entry in enumerate(reading.service.get("devices") or ()):
        text = str(entry["source"])
        if "target" in entry:
            text += f":{entry['target']}:{entry['permissions']}"
        found.append(reading.at(("devices", index), parse_device, text))
    requests = list(reading.service.get("gpus") or ())
    reserved = ((reading.service.get("deploy") or {}).get("resources") or {}).get(
        "reservations"
    ) or {}
    requests += reserved.get("devices") or []
    for request in requests:
        key = "gpus" if reading.service.get("gpus") else "deploy"
        if request.get("device_ids"):
            text = ",".join(text_of(one) for one in request["device_ids"])
        elif text_of(request.get("count", "all")) in {"-1", "all"}:
            text = "all"
        else:
            text = ",".join(str(number) for number in range(int(request["count"])))
        found += reading.at((key,), parse_gpus, text)
    return found
