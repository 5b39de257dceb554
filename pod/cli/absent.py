"""Commands of podman and docker that people will try and that pod does not have: why. Read when one was typed."""

from __future__ import annotations

_OTHER_MACHINES = "pod runs on this machine only"
_LATER = "this version of pod does not have it yet"
ABSENT = {
    # commands of podman and docker that people will try: why pod does not have them
    "farm": _OTHER_MACHINES,
    "machine": _OTHER_MACHINES,
    "node": _OTHER_MACHINES,
    "swarm": _OTHER_MACHINES,
    "context": _OTHER_MACHINES,
    "system connection": _OTHER_MACHINES,
    "system service": _LATER,
    "system migrate": "pod brings its database up to date on its own",
    "system renumber": "pod has no table of locks that could be full",
    "checkpoint": "the kernel allows it to root only",
    "container checkpoint": "the kernel allows it to root only",
    "container restore": "the kernel allows it to root only",
    "buildx bake": "pod builds one Dockerfile at a time",
    "buildx imagetools": "`pod manifest` makes and shows lists of images",
    "compose alpha": "what docker tries out there has a place here: `pod compose watch`, publish, scale, --dry-run up",
    "compose bridge": "it makes files for Kubernetes; `pod kube generate` does, from containers",
    "plugin": "pod has no plugins",
    "volume reload": "pod has no volume plugins",
    "volume update": "only cluster volumes can be updated",
    "trust": "it is docker's older way of signing; `pod image trust` and `pod push --sign-by` are podman's",
    "generate spec": "its JSON is for podman's own service; `pod inspect`, `kube generate` and `generate systemd` "
    "say how a container was made",
    "kube apply": "it needs a cluster; this version of pod does not talk to one",
    **dict.fromkeys(
        ("service stack").split(),
        _LATER,
    ),
}
