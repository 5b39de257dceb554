"""`pod logs` of containers that log to the journal, read by journalctl(1)."""

from __future__ import annotations

from pod.base.errors import PodError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pod.engine.logs import Selection, Sink
    from pod.state.containers import Container


def show(container: Container, selection: Selection, sink: Sink) -> None:
    """Give the container's entries to `sink`. With `follow`, until the caller is interrupted."""
    import json
    import subprocess  # heavy

    command = ["journalctl", "--output=json", "--quiet", f"CONTAINER_ID_FULL={container.id}"]
    if selection.tail >= 0:
        command.append(f"--lines={selection.tail}")
    elif selection.follow:
        command.append("--no-tail")
    if selection.follow:
        command.append("--follow")
    for option, value in (("--since", selection.since_ns), ("--until", selection.until_ns)):
        if value:
            command.append(f"{option}=@{value / 1e9:.6f}")
    try:
        process = subprocess.Popen(command, stdout=subprocess.PIPE)
    except FileNotFoundError as error:
        raise PodError(
            "journalctl is not installed, and the logs of this container are in the journal",
            hint="use --log-driver k8s-file for containers whose logs you want to read here",
        ) from error
    assert process.stdout is not None
    with process:
        for line in process.stdout:
            entry = json.loads(line)
            message = entry.get("MESSAGE") or ""
            text = bytes(message) if isinstance(message, list) else str(message).encode()
            stream = b"stderr" if entry.get("PRIORITY") == "3" else b"stdout"
            time = _rfc3339(int(entry["__REALTIME_TIMESTAMP"])) if selection.times else b""
            sink(stream, time, text + b"\n")


def _rfc3339(microseconds: int) -> bytes:
    import time

    seconds, fraction = divmod(microseconds, 1_000_000)
    return time.strftime(f"%Y-%m-%dT%H:%M:%S.{fraction:06}000Z", time.gmtime(seconds)).encode()
