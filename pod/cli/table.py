"""Every command of pod: its name, the module that does it, one line about it. Looking one up imports nothing.

A command with several names has one row in `COMMANDS`, under the name its man page has, and a row in `ALIASES` for
each other name. Module "ps" is `pod/cli/commands/ps.py`; the man page of "volume ls" is `man/pod-volume-ls.1.md`.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Literal

    Helper = Literal["monitor", "unprepared monitor", "joiner"]
    Row = tuple[str, str, str, Helper | Literal[False]]

# The process that a command forks before it imports anything, where it will need one.
_LAUNCHES: Helper = "monitor"
_JOINS: Helper = "joiner"

COMMANDS: dict[str, Row] = {
    # name: (module, heading in the help, what it does, the process it begins with)
    "attach": ("attach", "container", "Attach to a running container", False),
    "commit": ("commit", "container", "Make an image of a container", False),
    "cp": ("cp", "container", "Copy files between containers and this machine", False),
    "create": ("create", "container", "Create a container without starting it", False),
    "diff": ("diff", "container", "Show what a container or image has changed", False),
    "exec": ("exec", "container", "Run a command in a running container", _JOINS),
    "export": ("export", "container", "Write a container's files as a tar archive", False),
    "init": (
        "init",
        "container",
        "Prepare containers without running their command",
        _LAUNCHES,
    ),
    "kill": ("kill", "container", "Send a signal to the main process of containers", False),
    "logs": ("logs", "container", "Show what containers have written", False),
    "pause": ("pause", "container", "Stop the processes of containers where they are", False),
    "mount": ("mount", "container", "Mount the file systems of containers", False),
    "port": ("port", "container", "List the published ports of containers", False),
    "ps": ("ps", "container", "List containers", False),
    "rename": ("rename", "container", "Give a container another name", False),
    "restart": ("restart", "container", "Stop containers and start them again", _LAUNCHES),
    "rm": ("rm", "container", "Remove containers", False),
    "run": ("run", "container", "Run a command in a new container", _LAUNCHES),
    "start": ("start", "container", "Start stopped containers", _LAUNCHES),
    "stats": ("stats", "container", "Show how much containers use", False),
    "stop": ("stop", "container", "Stop running containers", False),
    "top": ("top", "container", "Show the processes of a container", False),
    "unpause": ("unpause", "container", "Let paused containers go on", False),
    "update": ("update", "container", "Change limits and restart policy of containers", False),
    "unmount": ("unmount", "container", "Undo `pod mount`", False),
    "wait": ("wait", "container", "Wait until containers stop and print their exit codes", False),
    "build": ("build", "image", "Build an image from a Dockerfile", False),
    "history": ("history", "image", "Show the layers of an image and how they came about", False),
    "images": ("images", "image", "List images", False),
    "import": ("import_", "image", "Make an image of a root file system in a tar archive", False),
    "load": ("load", "image", "Load images from an archive", False),
    "login": ("login", "image", "Log in to a registry", False),
    "logout": ("logout", "image", "Forget the credentials of a registry", False),
    "pull": ("pull", "image", "Pull images from a registry", False),
    "push": ("push", "image", "Copy an image to a registry or another place", False),
    "rmi": ("rmi", "image", "Remove images", False),
    "save": ("save", "image", "Save images to an archive", False),
    "search": ("search", "image", "Search registries for images", False),
    "tag": ("tag", "image", "Give an image more names", False),
    "untag": ("untag", "image", "Take names away from an image", False),
    "completion": ("completion", "system", "Print a completion script for a shell", False),
    "help": ("help", "system", "Show the help of a command", False),
    "events": ("events", "system", "Show what happens to containers, images and volumes", False),
    "info": ("info", "system", "Show what pod found on this machine", False),
    "inspect": ("inspect", "system", "Show everything about containers, images, volumes", False),
    "unshare": ("unshare", "system", "Run a command as root of your user namespace", False),
    "version": ("version", "system", "Show the version of pod", False),
    "container cleanup": (
        "container_cleanup",
        "container",
        "Release what stopped containers still hold",
        False,
    ),
    "container diff": ("container_diff", "container", "Show what a container has changed", False),
    "container clone": (
        "container_clone",
        "container",
        "Make a container with the configuration of another",
        False,
    ),
    "container exists": ("container_exists", "container", "Tell whether a container exists", False),
    "container inspect": (
        "container_inspect",
        "container",
        "Show everything about containers",
        False,
    ),
    "container prune": ("container_prune", "container", "Remove all stopped containers", False),
    "auto-update": (
        "auto_update",
        "system",
        "Bring running containers to newer versions of their images",
        False,
    ),
    "generate systemd": (
        "generate_systemd",
        "system",
        "Print unit files of systemd for a container or pod",
        False,
    ),
    "healthcheck run": (
        "healthcheck_run",
        "container",
        "Check the health of a container now",
        False,
    ),
    "image diff": ("image_diff", "image", "Show what an image has changed", False),
    "container runlabel": (
        "container_runlabel",
        "container",
        "Run the command that a label of an image holds",
        False,
    ),
    "image exists": ("image_exists", "image", "Tell whether an image exists", False),
    "image inspect": ("image_inspect", "image", "Show everything about images", False),
    "image mount": ("image_mount", "image", "Mount images", False),
    "image prune": ("image_prune", "image", "Remove unused images", False),
    "image scp": ("image_scp", "image", "Copy images between machines by ssh", False),
    "image sign": ("image_sign", "image", "Sign images that are in a registry", False),
    "image tree": ("image_tree", "image", "Show the layers of an image as a tree", False),
    "image trust set": ("image_trust_set", "image", "Set who is trusted for a registry", False),
    "image trust show": (
        "image_trust_show",
        "image",
        "Show who is trusted for which registry",
        False,
    ),
    "image unmount": ("image_unmount", "image", "Undo `pod image mount`", False),
    "artifact add": ("artifact_add", "artifact", "Make an artifact of files", False),
    "artifact extract": ("artifact_extract", "artifact", "Write the files of an artifact", False),
    "artifact inspect": (
        "artifact_inspect",
        "artifact",
        "Show everything about artifacts",
        False,
    ),
    "artifact ls": ("artifact_ls", "artifact", "List artifacts", False),
    "artifact pull": ("artifact_pull", "artifact", "Pull artifacts from registries", False),
    "artifact push": ("artifact_push", "artifact", "Copy an artifact to its registry", False),
    "artifact rm": ("artifact_rm", "artifact", "Remove artifacts", False),
    "manifest add": ("manifest_add", "manifest", "Put images into a list", False),
    "manifest annotate": (
        "manifest_annotate",
        "manifest",
        "Change what a list says about an image",
        False,
    ),
    "manifest create": ("manifest_create", "manifest", "Make a list of images", False),
    "manifest exists": ("manifest_exists", "manifest", "Tell whether a list exists", False),
    "manifest inspect": ("manifest_inspect", "manifest", "Show a list of images", False),
    "manifest push": ("manifest_push", "manifest", "Copy a list and its images", False),
    "manifest remove": ("manifest_remove", "manifest", "Take an image out of a list", False),
    "manifest rm": ("manifest_rm", "manifest", "Remove lists of images", False),
    "builder du": (
        "builder_du",
        "image",
        "Show how much disk space the cache of builds takes",
        False,
    ),
    "builder ls": ("builder_ls", "image", "List what builds keep", False),
    "builder prune": ("builder_prune", "image", "Remove what builds keep", False),
    "buildx create": (
        "buildx_create",
        "image",
        "Do nothing, as no builder is needed",
        False,
    ),
    "compose config": ("compose_config", "compose", "Show what the files of a project say", False),
    "compose down": (
        "compose_down",
        "compose",
        "Stop and remove the containers of a project",
        False,
    ),
    "compose lock": (
        "compose_lock",
        "compose",
        "Write down the digests of the images of a project",
        False,
    ),
    "compose logs": (
        "compose_logs",
        "compose",
        "Show what the containers of a project have written",
        False,
    ),
    "compose ps": ("compose_ps", "compose", "List the containers of a project", False),
    "compose up": ("compose_up", "compose", "Make and start the containers of a project", False),
    "compose attach": (
        "compose_attach",
        "compose",
        "Attach to a running container of a service",
        False,
    ),
    "compose build": ("compose_build", "compose", "Build the images of a project", False),
    "compose commit": (
        "compose_commit",
        "compose",
        "Make an image of a container of a service",
        False,
    ),
    "compose cp": ("compose_cp", "compose", "Copy files between services and this machine", False),
    "compose create": (
        "compose_create",
        "compose",
        "Make the containers of a project without starting them",
        False,
    ),
    "compose events": (
        "compose_events",
        "compose",
        "Show what happens to the containers of a project",
        False,
    ),
    "compose exec": (
        "compose_exec",
        "compose",
        "Run a command in a running container of a service",
        False,
    ),
    "compose export": (
        "compose_export",
        "compose",
        "Write the files of a container of a service as an archive",
        False,
    ),
    "compose images": (
        "compose_images",
        "compose",
        "List the images of the containers of a project",
        False,
    ),
    "compose kill": (
        "compose_kill",
        "compose",
        "Send a signal to the containers of a project",
        False,
    ),
    "compose ls": ("compose_ls", "compose", "List projects", False),
    "compose pause": (
        "compose_pause",
        "compose",
        "Stop the processes of a project where they are",
        False,
    ),
    "compose port": (
        "compose_port",
        "compose",
        "Show where a port of a service is published",
        False,
    ),
    "compose publish": (
        "compose_publish",
        "compose",
        "Put the files of a project into a registry",
        False,
    ),
    "compose pull": ("compose_pull", "compose", "Pull the images of a project", False),
    "compose push": ("compose_push", "compose", "Push the images that services build", False),
    "compose restart": (
        "compose_restart",
        "compose",
        "Stop the containers of a project and start them again",
        False,
    ),
    "compose rm": ("compose_rm", "compose", "Remove stopped containers of a project", False),
    "compose run": (
        "compose_run",
        "compose",
        "Run a command in a new container of a service",
        False,
    ),
    "compose scale": ("compose_scale", "compose", "Have so many containers of services", False),
    "compose snapshot ls": (
        "compose_snapshot_ls",
        "compose",
        "List the snapshots of a project",
        False,
    ),
    "compose snapshot restore": (
        "compose_snapshot_restore",
        "compose",
        "Put the volumes of a project back as they were",
        False,
    ),
    "compose snapshot rm": (
        "compose_snapshot_rm",
        "compose",
        "Remove snapshots of a project",
        False,
    ),
    "compose snapshot save": (
        "compose_snapshot_save",
        "compose",
        "Keep the volumes of a project under a name",
        False,
    ),
    "compose start": (
        "compose_start",
        "compose",
        "Start the containers of a project that are there",
        False,
    ),
    "compose stats": (
        "compose_stats",
        "compose",
        "Show how much the containers of a project use",
        False,
    ),
    "compose stop": ("compose_stop", "compose", "Stop the containers of a project", False),
    "compose top": ("compose_top", "compose", "Show the processes of a project", False),
    "compose unpause": (
        "compose_unpause",
        "compose",
        "Let the processes of a project go on",
        False,
    ),
    "compose version": ("compose_version", "compose", "Show the version of compose", False),
    "compose volumes": ("compose_volumes", "compose", "List the volumes of a project", False),
    "compose wait": ("compose_wait", "compose", "Wait until services end", False),
    "compose watch": (
        "compose_watch",
        "compose",
        "Bring changed files into services, or build them again",
        False,
    ),
    "config create": ("config_create", "config", "Store a file of settings", False),
    "config inspect": ("config_inspect", "config", "Show everything about configs", False),
    "config ls": ("config_ls", "config", "List configs", False),
    "config rm": ("config_rm", "config", "Remove configs", False),
    "network connect": ("network_connect", "network", "Connect a container to a network", False),
    "kube down": ("kube_down", "pod", "Remove what Kubernetes documents describe", False),
    "kube generate": (
        "kube_generate",
        "pod",
        "Print Kubernetes documents of containers, pods and volumes",
        False,
    ),
    "kube play": ("kube_play", "pod", "Make and start what Kubernetes documents describe", False),
    "network create": ("network_create", "network", "Create a network", False),
    "network disconnect": (
        "network_disconnect",
        "network",
        "Disconnect a container from a network",
        False,
    ),
    "network exists": ("network_exists", "network", "Tell whether a network exists", False),
    "network expose": (
        "network_expose",
        "network",
        "Reach containers by name: http://NAME.pod.localhost",
        False,
    ),
    "network inspect": ("network_inspect", "network", "Show everything about networks", False),
    "network ls": ("network_ls", "network", "List networks", False),
    "network prune": ("network_prune", "network", "Remove unused networks", False),
    "network reload": (
        "network_reload",
        "network",
        "Connect containers to their networks anew",
        False,
    ),
    "network rm": ("network_rm", "network", "Remove networks", False),
    "network update": (
        "network_update",
        "network",
        "Change the name servers of a network",
        False,
    ),
    "pod clone": (
        "pod_clone",
        "pod",
        "Make a pod with the configuration of another",
        _LAUNCHES,
    ),
    "pod create": ("pod_create", "pod", "Make a pod", False),
    "pod exists": ("pod_exists", "pod", "Tell whether a pod exists", False),
    "pod inspect": ("pod_inspect", "pod", "Show everything about pods", False),
    "pod kill": ("pod_kill", "pod", "Send a signal to all containers of pods", False),
    "pod logs": ("pod_logs", "pod", "Show what the containers of a pod have written", False),
    "pod pause": ("pod_pause", "pod", "Stop the processes of pods where they are", False),
    "pod prune": ("pod_prune", "pod", "Remove stopped pods", False),
    "pod ps": ("pod_ps", "pod", "List pods", False),
    "pod restart": ("pod_restart", "pod", "Stop pods and start them again", _LAUNCHES),
    "pod rm": ("pod_rm", "pod", "Remove pods", False),
    "pod start": ("pod_start", "pod", "Start pods", _LAUNCHES),
    "pod stats": ("pod_stats", "pod", "Show how much the containers of pods use", False),
    "pod stop": ("pod_stop", "pod", "Stop running pods", False),
    "pod top": ("pod_top", "pod", "Show the processes of a pod", False),
    "pod unpause": ("pod_unpause", "pod", "Let paused pods go on", False),
    "secret create": ("secret_create", "secret", "Store a secret", False),
    "secret exists": ("secret_exists", "secret", "Tell whether a secret exists", False),
    "secret inspect": ("secret_inspect", "secret", "Show everything about secrets", False),
    "secret ls": ("secret_ls", "secret", "List secrets", False),
    "quadlet install": (
        "quadlet_install",
        "system",
        "Have systemd run what quadlets describe",
        False,
    ),
    "quadlet list": ("quadlet_list", "system", "List quadlets and their services", False),
    "quadlet print": ("quadlet_print", "system", "Print a quadlet", False),
    "quadlet rm": ("quadlet_rm", "system", "Remove quadlets", False),
    "secret rm": ("secret_rm", "secret", "Remove secrets", False),
    "startup down": (
        "startup_down",
        "system",
        "Stop all containers because the machine goes down",
        False,
    ),
    "startup install": (
        "startup_install",
        "system",
        "Have containers start again after a reboot",
        False,
    ),
    "startup remove": ("startup_remove", "system", "Undo `pod startup install`", False),
    "startup status": (
        "startup_status",
        "system",
        "Tell what starts containers after a reboot",
        False,
    ),
    "system check": ("system_check", "system", "Check the consistency of what is stored", False),
    "system df": ("system_df", "system", "Show how much disk space is used", False),
    "system prune": ("system_prune", "system", "Remove everything that is not in use", False),
    "system reset": (
        "system_reset",
        "system",
        "Remove all containers, images, volumes and networks",
        False,
    ),
    "volume create": ("volume_create", "volume", "Create a volume", False),
    "volume exists": ("volume_exists", "volume", "Tell whether a volume exists", False),
    "volume export": ("volume_export", "volume", "Write a volume's files as a tar archive", False),
    "volume import": ("volume_import", "volume", "Unpack a tar archive into a volume", False),
    "volume inspect": ("volume_inspect", "volume", "Show everything about volumes", False),
    "volume ls": ("volume_ls", "volume", "List volumes", False),
    "volume mount": ("volume_mount", "volume", "Show where a volume's files are", False),
    "volume prune": ("volume_prune", "volume", "Remove unused volumes", False),
    "volume rm": ("volume_rm", "volume", "Remove volumes", False),
    "volume unmount": ("volume_unmount", "volume", "Undo `pod volume mount`", False),
}

GROUPS = {
    "container": "Manage containers",
    "compose": "Projects of several containers, as compose files describe them",
    "generate": "Make files of other formats of containers and pods",
    "healthcheck": "Check the health of containers",
    "image": "Manage images",
    "kube": "Pods as Kubernetes documents describe them",
    "artifact": "Manage files that are kept in registries",
    "builder": "Build images, and manage what builds keep",
    "buildx": "The same in docker's spelling",
    "manifest": "Manage lists of images for several platforms",
    "pod": "Manage pods, groups of containers",
    "volume": "Manage volumes",
    "network": "Manage networks",
    "play": "Make pods of files of other formats",
    "quadlet": "Manage quadlets, files that services of systemd are made of",
    "secret": "Manage secrets",
    "config": "Manage configs",
    "startup": "Start containers after a reboot",
    "system": "Manage pod itself",
}

GROUP_OPTIONS = {
    # groups that have options of their own, before the command: the module with them
    "compose": "compose",
}

SUBGROUPS = {
    # groups within groups
    "compose snapshot": "Keep the volumes of a project, and put them back",
    "image trust": "Show and set which images may be pulled",
}

ALIASES = {
    # second name: name in COMMANDS
    "compose convert": "compose config",
    "container attach": "attach",
    "container commit": "commit",
    "container cp": "cp",
    "container create": "create",
    "container exec": "exec",
    "container export": "export",
    "container init": "init",
    "container kill": "kill",
    "container logs": "logs",
    "container ls": "ps",
    "container pause": "pause",
    "container mount": "mount",
    "container port": "port",
    "container rename": "rename",
    "container restart": "restart",
    "container rm": "rm",
    "container run": "run",
    "container start": "start",
    "container stats": "stats",
    "container stop": "stop",
    "container top": "top",
    "container unpause": "unpause",
    "container update": "update",
    "container unmount": "unmount",
    "container wait": "wait",
    "image build": "build",
    "builder build": "build",
    "buildx build": "build",
    "buildx du": "builder du",
    "buildx ls": "builder ls",
    "buildx prune": "builder prune",
    "buildx use": "buildx create",
    "image history": "history",
    "image import": "import",
    "image load": "load",
    "image ls": "images",
    "image pull": "pull",
    "image push": "push",
    "image rm": "rmi",
    "image save": "save",
    "image search": "search",
    "image tag": "tag",
    "image untag": "untag",
    "system events": "events",
    "system info": "info",
}

SILENT_ALIASES = {
    # the same, for names that the help does not list
    "container list": "ps",
    "container ps": "ps",
    "container remove": "rm",
    "container umount": "unmount",
    "buildx b": "build",
    "buildx version": "version",
    "buildx inspect": "buildx create",
    "buildx rm": "buildx create",
    "buildx stop": "buildx create",
    "pod list": "pod ps",
    "generate kube": "kube generate",
    "play kube": "kube play",
    "pod ls": "pod ps",
    "image list": "images",
    "image remove": "rmi",
    "image umount": "image unmount",
    "artifact list": "artifact ls",
    "artifact remove": "artifact rm",
    "config list": "config ls",
    "config remove": "config rm",
    "network list": "network ls",
    "network remove": "network rm",
    "quadlet ls": "quadlet list",
    "quadlet remove": "quadlet rm",
    "secret list": "secret ls",
    "secret remove": "secret rm",
    "umount": "unmount",
    "volume list": "volume ls",
    "volume remove": "volume rm",
}


def find(words: Sequence[str]) -> tuple[str, int] | None:
    """The name in COMMANDS of the command that `words` begin with, and how many words it took."""
    if not words:
        return None
    group = group_of(words)
    count = group.count(" ") + 2 if group else 1
    if len(words) < count:
        return None
    name = " ".join(words[:count])
    name = ALIASES.get(name) or SILENT_ALIASES.get(name) or name
    return (name, count) if name in COMMANDS else None


def helper_for(helper: Helper, words: Sequence[str]) -> Helper:
    """The process that a command begins with; `words` are those behind its name, not looked at any closer.

    A container that joins others needs no namespaces of its own. Where that is mistaken, they are made a little later.
    """
    if helper == _LAUNCHES:
        for word in words:
            if word.startswith("--pod") or "container:" in word:
                return "unprepared monitor"
    return helper


def group_of(words: Sequence[str]) -> str:
    """The group that `words` begin with, or the group in that group; "" when they begin with none."""
    if not words or words[0] not in GROUPS:
        return ""
    inner = " ".join(words[:2])
    return inner if inner in SUBGROUPS else words[0]


def members(group: str) -> dict[str, str]:
    """What the help lists for a group: the last word of each command -> its name in COMMANDS."""
    before = f"{group} "
    listed = {name: name for name in COMMANDS if name.startswith(before)}
    listed.update({name: to for name, to in ALIASES.items() if name.startswith(before)})
    words = {name.removeprefix(before): listed[name] for name in sorted(listed)}
    return {word: name for word, name in words.items() if " " not in word}


def summaries(group: str) -> dict[str, str]:
    """What the help says of a group: each command, and each group in it, with one line about it."""
    found = {word: COMMANDS[name][2] for word, name in members(group).items()}
    for name, summary in SUBGROUPS.items():
        if name.startswith(f"{group} "):
            found[name.removeprefix(f"{group} ")] = summary
    return dict(sorted(found.items()))
