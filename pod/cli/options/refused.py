"""Options of `run` and `create` that podman or docker have and pod does not, each with the reason."""

from __future__ import annotations

from pod.cli.declare import Option

_LATER = "this version of pod does not have it yet"
_VERSION_1 = "it belongs to version 1 of control groups"
_WINDOWS = "it belongs to Windows"
_ROOT = "only root can restrict devices; a container sees those that it is given"

_FLAGS = {
    "--disable-content-trust": "pod does not check docker's signatures of content",
    "--oom-kill-disable": _VERSION_1,
    "--use-api-socket": "pod has no daemon whose socket could be passed on",
}
_TEXTS = {
    "--cpu-count": _WINDOWS,
    "--cpu-percent": _WINDOWS,
    "--cpu-rt-period": _VERSION_1,
    "--cpu-rt-runtime": _VERSION_1,
    "--decryption-key": "pod does not read encrypted images",
    "--device-cgroup-rule": _ROOT,
    "--io-maxbandwidth": _WINDOWS,
    "--io-maxiops": _WINDOWS,
    "--kernel-memory": _VERSION_1,
    "--link-local-ip": "such addresses come by themselves",
    "--memory-swappiness": _VERSION_1,
    "--rdt-class": "only root can assign cache and memory bandwidth",
}

OPTIONS = (
    *(Option((flag,), "flag", refused=why) for flag, why in _FLAGS.items()),
    *(Option((flag,), "text", refused=why) for flag, why in _TEXTS.items()),
)
