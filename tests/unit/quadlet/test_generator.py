"""From quadlets to services: what each key becomes, what belongs together, and what is said of wrong files."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from pod.quadlet import generator, grammars, keys


class Folder:
    """Write quadlets; `services` and `errors` are what the generator makes of them."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def write(self, name: str, text: str) -> str:
        path = self.path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        return str(path)

    def generate(self) -> generator.Generated:
        return generator.generate([str(self.path)], ["/opt/pod"])

    @property
    def errors(self) -> list[str]:
        return [error.message.replace(f"{self.path}/", "") for error in self.generate().errors]

    def lines(self, service: str, key: str) -> list[str]:
        generated = self.generate()
        assert not generated.errors
        text = generated.services[service]
        return [line.partition("=")[2] for line in text.splitlines() if line.startswith(f"{key}=")]

    def command(self, service: str) -> str:
        (line,) = self.lines(service, "ExecStart")
        return line.removeprefix("/opt/pod ")


@pytest.fixture
def folder(tmp_path: Path) -> Folder:
    return Folder(tmp_path)


def container(more: str) -> str:
    return f"[Container]\nImage=i\n{more}\n"


@pytest.mark.parametrize(
    ("line", "option"),
    [
        ("AddCapability=CHOWN kill", "--cap-add=CHOWN --cap-add=kill"),
        ("DropCapability=all", "--cap-drop=all"),
        ('Environment=A=1 "B=2 3"', '--env=A=1 "--env=B=2 3"'),
        ("Environment=FROM_HOST", "--env=FROM_HOST"),
        ("Label=a=b", "--label=a=b"),
        ("Annotation=a=b", "--annotation=a=b"),
        ("AppArmor=unconfined", "--security-opt=apparmor=unconfined"),
        ("AutoUpdate=registry", "--label=io.containers.autoupdate=registry"),
        ("RunInit=yes", "--init"),
        ("ReadOnly=no", "--read-only=false"),
        ("PidsLimit=-1", "--pids-limit=-1"),
        ("Memory=20m", "--memory=20m"),
        ("Network=host", "--network=host"),
        ("NoNewPrivileges=1", "--security-opt=no-new-privileges"),
        ("SecurityLabelType=t", "--security-opt=label=type:t"),
        ("SecurityLabelDisable=true", "--security-opt=label=disable"),
        ("Mask=/a:/b", "--security-opt=mask=/a:/b"),
        ("User=1\nGroup=2", "--user=1:2"),
        ("UserNS=keep-id:uid=3", "--userns=keep-id:uid=3"),
        ("RemapUsers=keep-id\nRemapUid=5", "--userns=keep-id:uid=5"),
        (
            "RemapUsers=auto\nRemapUid=0:1:2\nRemapUidSize=9",
            "--userns=auto:uidmapping=0:1:2,size=9",
        ),
        ("RemapUsers=manual\nRemapGid=0:1:2", "--gidmap=0:1:2"),
        ("UIDMap=0:1:2", "--uidmap=0:1:2"),
        ("ExposeHostPort=50-59/udp", "--expose=50-59/udp"),
        ("PublishPort=80:80", "--publish=80:80"),
        ("Notify=healthy", "--sdnotify=healthy"),
        ("Notify=yes", "--sdnotify=container"),
        ("VolatileTmp=yes", "--tmpfs=/tmp:rw,size=512M,mode=1777"),
        ("AddDevice=-/dev/none-such /dev/null", "--device=/dev/null"),
        ("Volume=/a:/b:ro", "--volume=/a:/b:ro"),
        ("Mount=type=tmpfs,dst=/x", "--mount=type=tmpfs,dst=/x"),
        ("PodmanArgs=--cpus 2 '--x=a b'", '--cpus 2 "--x=a b" i'),
        (
            "GlobalArgs=--log-level=debug\nContainersConfModule=m",
            "--module=m --log-level=debug run",
        ),
        ("CgroupsMode=enabled", "--cgroups=enabled"),
        ("ContainerName=c", "--name=c"),
        ("Exec=sh -c \\\n  # what it does\n  'echo %n $$A'", 'i sh -c "echo %n $$A"'),
        ("StopTimeout=3\nStopTimeout=", "--sdnotify=conmon -d i"),
        ("DNS=1.1.1.1\nDNS=2.2.2.2", "--dns=1.1.1.1 --dns=2.2.2.2"),
    ],
)
def test_keys_of_containers(folder: Folder, line: str, option: str) -> None:
    folder.write("c.container", container(line))
    assert f" {option} " in f" {folder.command('c.service')} "


def test_paths_are_relative_to_the_file(folder: Folder) -> None:
    folder.write(
        "sub/c.container", container("Volume=./d:/d\nEnvironmentFile=e\nEnvironmentFile=%h/f")
    )
    command = folder.command("c.service")
    assert f"--volume={folder.path}/sub/d:/d" in command
    assert f"--env-file={folder.path}/sub/e --env-file=%h/f" in command
    assert folder.lines("c.service", "RequiresMountsFor") == [f"{folder.path}/sub/d"]


def test_services_of_what_a_container_needs_come_before_it(folder: Folder) -> None:
    folder.write("n.network", "[Network]\nSubnet=10.1.0.0/24\nIPRange=10.1.0.0/25\nInternal=yes\n")
    folder.write("v.volume", "[Volume]\nUser=3\nDevice=tmpfs\nType=tmpfs\nOptions=size=1m\n")
    folder.write("i.image", "[Image]\nImage=docker.io/library/x\nPolicy=newer\n")
    folder.write("other.container", container("ContainerName=%N-x"))
    folder.write("b.build", "[Build]\nImageTag=localhost/b\nSetWorkingDirectory=unit\n")
    folder.write("p.pod", "[Pod]\nNetwork=n.network:ip=10.1.0.9\nVolume=v.volume:/v\n")
    folder.write(
        "c.container",
        "[Container]\nImage=i.image\nMount=type=volume,src=v.volume,dst=/w\nPod=p.pod\n",
    )
    folder.write("d.container", "[Container]\nImage=b.build\nNetwork=other.container\n")
    assert folder.command("n-network.service") == (
        "network create --ignore --internal --subnet=10.1.0.0/24 --ip-range=10.1.0.0/25 systemd-n"
    )
    assert folder.command("v-volume.service") == (
        "volume create --ignore --opt=device=tmpfs --opt=type=tmpfs --opt=o=uid=3,size=1m systemd-v"
    )
    assert folder.command("i-image.service") == "image pull --policy=newer docker.io/library/x"
    assert folder.command("b-build.service") == f"build --tag=localhost/b {folder.path}"
    assert folder.lines("b-build.service", "WorkingDirectory") == [str(folder.path)]
    (create,) = folder.lines("p-pod.service", "ExecStartPre")
    assert "--network=systemd-n:ip=10.1.0.9 --volume=systemd-v:/v" in create
    assert folder.lines("p-pod.service", "Wants") == ["c.service"]
    command = folder.command("c.service")
    assert "--mount=type=volume,src=systemd-v,dst=/w --pod=systemd-p docker.io/library/x" in command
    assert folder.lines("c.service", "BindsTo") == ["p-pod.service"]
    assert set(folder.lines("c.service", "Requires")) == {"i-image.service", "v-volume.service"}
    assert "--network=container:other-x localhost/b" in folder.command("d.service")
    assert {"other.service", "b-build.service"} == set(folder.lines("d.service", "After"))


def test_units_that_systemd_s_sections_name_are_translated(folder: Folder) -> None:
    folder.write("v.volume", "[Volume]\n")
    folder.write("c.container", "[Unit]\nAfter=v.volume dev-x.device\n" + container(""))
    assert folder.lines("c.service", "After") == ["v-volume.service dev-x.device"]


def test_instances_of_templates_can_be_named(folder: Folder) -> None:
    folder.write("t@.container", container("Exec=echo %i"))
    folder.write("v@.volume", "[Volume]\n")
    unit = "[Unit]\nRequires=t@{0}.container\n"
    folder.write("c.container", unit.format("one") + container("Volume=v@one.volume:/v"))
    folder.write("d@.container", unit.format("%i") + container("Volume=v@%i.volume:/v"))
    assert folder.lines("c.service", "Requires") == ["t@one.service", "v-volume@one.service"]
    assert "--volume=systemd-v_one:/v" in folder.command("c.service")
    assert folder.lines("d@.service", "Requires") == ["t@%i.service", "v-volume@%i.service"]
    assert "--volume=systemd-v_%i:/v" in folder.command("d@.service")
    folder.write("e.container", unit.format("") + container("Volume=x@one.volume:/v"))
    assert folder.errors == [
        "e.container:5: Volume=: there is no quadlet 'x@one.volume', or it has an error"
    ]


def test_what_the_file_says_for_systemd_stays(folder: Folder) -> None:
    folder.write(
        "c.container", container("") + "[Service]\nType=oneshot\nRestart=always\n[X-Mine]\na=b\n"
    )
    assert folder.lines("c.service", "Type") == ["oneshot"]
    assert folder.lines("c.service", "Restart") == ["always"]
    assert " -d " not in folder.command("c.service")


def test_drop_ins_from_the_general_to_the_special(folder: Folder) -> None:
    folder.write("a-b@.container", container("Timezone=base"))
    os.symlink("a-b@.container", folder.path / "a-b@x.container")
    names = ("container.d", "a-.container.d", "a-b@.container.d", "a-b@x.container.d")
    for name in names:
        folder.write(f"{name}/10-same.conf", f"[Container]\nTimezone={name}\n")
        folder.write(f"{name}/20-{name}.conf", f"[Container]\nLabel=from={name}\n")
    command = folder.command("a-b@x.service")
    assert "--tz=a-b@x.container.d" in command
    assert all(f"--label=from={name}" in command for name in names)
    assert "--tz=a-b@.container.d" in folder.command("a-b@.service")


def test_links_are_what_enable_would_make(folder: Folder) -> None:
    folder.write(
        "c.container",
        container("ServiceName=d") + "[Install]\nWantedBy=a.target b.target\nAlias=e.service\n",
    )
    folder.write(
        "t@.container", container("") + "[Install]\nRequiredBy=a.target\nDefaultInstance=z\n"
    )
    folder.write("u@.container", container("") + "[Install]\nWantedBy=a.target\n")
    assert folder.generate().links == {
        "a.target.wants/d.service": "../d.service",
        "b.target.wants/d.service": "../d.service",
        "e.service": "d.service",
        "a.target.requires/t@z.service": "../t@.service",
    }


@pytest.mark.parametrize(
    ("text", "error"),
    [
        ("Imge=x", "w.container:3: Imge=: is no key of [Container], did you mean 'Image'?"),
        ("Rootfs=/x", "w.container:3: Rootfs=: excludes Image="),
        ("ReadOnly=perhaps", "w.container:3: ReadOnly=: 'perhaps' is neither true nor false"),
        ("PidsLimit=many", "w.container:3: PidsLimit=: 'many' is not a number"),
        (
            "PublishPort=99999:80",
            "w.container:3: PublishPort=: '99999:80' is not valid: a port is a number from 1 to 65535, or a range "
            "such as 8000-8010",
        ),
        (
            "Ulimit=nofile=5:3",
            "w.container:3: Ulimit=: 'nofile=5:3' is not valid: the soft limit is above the hard limit",
        ),
        ("Group=3", "w.container:3: Group=: needs User="),
        ("Environment='A=b", "w.container:3: Environment=: a quote ' is not closed in ''A=b'"),
        ("Environment==b", "w.container:3: Environment=: '=b' has no name before the equals sign"),
        ("AutoUpdate=often", "w.container:3: AutoUpdate=: 'often' is neither registry nor local"),
        (
            "ExposeHostPort=60-50",
            "w.container:3: ExposeHostPort=: '60-50' is not valid: a port is a number from 1 to 65535, or a range "
            "such as 8000-8010",
        ),
        (
            "Memory=lots",
            "w.container:3: Memory=: 'lots' is not valid: a number with an optional unit b, k, m, g, t or p, such as "
            "512m or 1.5g",
        ),
        (
            "AddCapability=CHOWN NOPE",
            "w.container:3: AddCapability=: 'NOPE' is not valid: there is no such capability",
        ),
        (
            "HealthRetries=0",
            "w.container:3: HealthRetries=: '0' is not valid: a number between 1 and 2147483647",
        ),
        (
            "StopTimeout=-7",
            "w.container:3: StopTimeout=: '-7' is not valid: a number between -1 and 2147483647",
        ),
        (
            "StopSignal=SIGFOO",
            "w.container:3: StopSignal=: signal 'SIGFOO' of --stop-signal does not exist",
        ),
        (
            "ReloadSignal=SIGFOO",
            "w.container:3: ReloadSignal=: signal 'SIGFOO' of --signal does not exist",
        ),
        (
            "User=a\nGroup=b:c",
            "w.container:3: User=: 'a:b:c' is not valid: USER[:GROUP], names or numbers up to 4294967294",
        ),
        (
            "IP=300.1.1.1",
            "w.container:3: IP=: '300.1.1.1' is not valid: '300.1.1.1' is not an IP address",
        ),
        (
            "Pull=perhaps",
            "w.container:3: Pull=: 'perhaps' is not valid: missing, always, newer or never",
        ),
        (
            "WorkingDir=a",
            "w.container:3: WorkingDir=: 'a' is not valid: an absolute path, inside the container",
        ),
        (
            "Volume=/a:b",
            "w.container:3: Volume=: '/a:b' is not valid: the destination 'b' is not an absolute path",
        ),
        (
            "Mount=type=tmpfs",
            "w.container:3: Mount=: 'type=tmpfs' is not valid: the key 'destination' is missing",
        ),
        (
            "UserNS=keep-id:x=y",
            "w.container:3: UserNS=: 'keep-id:x=y' is not valid: the options of keep-id are uid=UID, gid=GID and "
            "size=COUNT",
        ),
        (
            "Mask=a",
            "w.container:3: Mask=: 'mask=a' is not valid: absolute paths with a colon between them",
        ),
        (
            "LogDriver=journald\nLogOpt=path=/x",
            "w.container:4: LogOpt=: 'path=/x' is not valid: the driver journald has no 'path'",
        ),
        (
            "LogOpt=nope=1",
            "w.container:3: LogOpt=: 'nope=1' is not valid: KEY=VALUE, the keys being path, max-size, max-file, tag",
        ),
        (
            "Image=UPPER",
            "w.container:3: Image=: 'UPPER' is not valid: the repository must be lower-case",
        ),
        (
            "ContainerName=a b",
            "w.container:3: ContainerName=: 'a b' is no name: letters, digits, '_', '.' and '-', beginning with a "
            "letter or digit",
        ),
        (
            "Network=x.network",
            "w.container:3: Network=: there is no quadlet 'x.network', or it has an error",
        ),
        (
            "Volume=x.volume:/x",
            "w.container:3: Volume=: there is no quadlet 'x.volume', or it has an error",
        ),
        ("Pod=p", "w.container:3: Pod=: 'p' is not the name of a .pod file"),
        ("ReloadCmd=a\nReloadSignal=HUP", "w.container:4: ReloadSignal=: excludes ReloadCmd="),
        ("RemapUsers=x", "w.container:3: RemapUsers=: 'x' is not one of manual, auto and keep-id"),
        ("[Volume]\nUser=3", "w.container:3: [Volume] is no section of .container files"),
        ("[Service]\nType=simple", "w.container:4: Type=: 'simple' is neither notify nor oneshot"),
        (
            "[Service]\nKillMode=none",
            "w.container:4: KillMode=: 'none' is neither mixed nor control-group",
        ),
        ("[Install]\nWantedBy=../x", "w.container:4: WantedBy=: '../x' is not the name of a unit"),
        (
            "[Unit]\nAfter=x.container",
            "w.container:4: After=: there is no quadlet 'x.container', or it has an error",
        ),
        ("nothing", "w.container:3: 'nothing' is not of the form KEY=VALUE"),
        ("[Service", "w.container:3: '[Service' is not the head of a section"),
        (
            "ServiceName=a.service",
            "w.container:3: ServiceName=: 'a.service' is not the name of a service without .service",
        ),
        (
            "ServiceName=a b",
            "w.container:3: ServiceName=: 'a b' is not the name of a service without .service",
        ),
    ],
)
def test_what_is_wrong_is_named_and_the_others_are_written(
    folder: Folder, text: str, error: str
) -> None:
    folder.write("w.container", container(text))
    folder.write("good.container", container(""))
    assert folder.errors == [error]
    assert list(folder.generate().services) == ["good.service"]


@pytest.mark.parametrize(
    ("name", "text", "error"),
    [
        ("c.container", "[Container]\n", "c.container:1: Image=: is missing: which image the container is made of"),
        ("c.container", "[Unit]\n", "c.container: there is no section [Container]"),
        ("c.container", "Image=x\n", "c.container:1: 'Image=x' stands in no section"),
        ("i.image", "[Image]\nDecryptionKey=x", "i.image:2: DecryptionKey=: is not supported: pod cannot decrypt images"),  # noqa: E501
        ("i.image", "[Image]\n", "i.image:1: Image=: is missing: which image is pulled"),
        ("a.artifact", "[Artifact]\n", "a.artifact:1: Artifact=: is missing: which artifact is pulled"),
        ("b.build", "[Build]\n", "b.build:1: ImageTag=: is missing: what the image is called"),
        ("b.build", "[Build]\nImageTag=x\n", "b.build:1: File=: is missing, or SetWorkingDirectory="),
        ("v.volume", "[Volume]\nDriver=image\n",
         "v.volume:2: Driver=: 'image' is not supported: pod mounts images into containers: "
         "Mount=type=image,source=...,destination=..."),
        ("v.volume", "[Volume]\nVolumeName=v\nUser=nobody-has-this\n",
         "v.volume:3: User=: this machine has no user 'nobody-has-this'"),
        ("v.volume", "[Volume]\nDevice=/x\nType=ext4\n",
         "v.volume:3: Type=: a volume of type 'ext4' is not supported: only the real root can mount one"),
        ("my site.container", "[Container]\nImage=x\n",
         "my site.container: no service can have this name: letters, digits and :-_.\\ are allowed"),
        ("@.container", "[Container]\nImage=x\n",
         "@.container: no service can have this name: letters, digits and :-_.\\ are allowed"),
        ("a:b.container", "[Container]\nImage=x\n",
         "a:b.container:1: ContainerName=: is missing: 'systemd-a:b', made of the file's name, can be no name"),
        ("p.pod", "[Pod]\nExitPolicy=x\n", "p.pod:2: ExitPolicy=: 'x' is not valid: continue, or stop"),
        ("p.pod", "[Pod]\nStopTimeout=x\n",
         "p.pod:2: StopTimeout=: 'x' is not valid: a number between -1 and 2147483647"),
        ("n.network", "[Network]\nSubnet=10.1.0.0/24\nGateway=11.0.0.1\n",
         "n.network:3: Gateway=: '11.0.0.1' is not valid: it is not in subnet 10.1.0.0/24"),
        ("n.network", "[Network]\nOptions=foo=bar\n",
         "n.network:2: Options=: 'foo=bar' is not valid: one of mtu, isolate"),
        ("n.network", "[Network]\nDriver=macvlan\n",
         "n.network:2: Driver=: 'macvlan' is not supported: only root can put containers on an interface of the host"),
        ("b.build", "[Build]\nImageTag=UPPER\n",
         "b.build:2: ImageTag=: 'UPPER' is not valid: the repository must be lower-case"),
        ("k.kube", "[Kube]\nYaml=x\nAutoUpdate=a/b\n",
         "k.kube:3: AutoUpdate=: 'a/b' is not one of registry, local, NAME/registry and NAME/local"),
        ("k.kube", "[Kube]\nYaml=x\n[Service]\nType=simple\n",
         "k.kube:4: Type=: 'simple' is neither notify nor oneshot"),
        ("k.kube", "[Kube]\nYaml=x\n[Service]\nKillMode=none\n",
         "k.kube:4: KillMode=: 'none' is neither mixed nor control-group"),
        ("v.volume", "[Volume]\nOptions=x\n", "v.volume:2: Options=: needs Device="),
        ("n.network", "[Network]\nGateway=1.1.1.1\n", "n.network:2: Gateway=: has no Subnet= that it belongs to"),
        ("k.kube", "[Kube]\n", "k.kube:1: needs Yaml=, the file with the documents"),
        ("k.kube", "[Kube]\nYaml=x\nExitCodePropagation=some\n",
         "k.kube:3: ExitCodePropagation=: ExitCodePropagation is 'some'; it can be all, any or none"),
        ("k.kube", "[Kube]\nYaml=x\nRemapUsers=manual\nRemapUid=0:0\n",
         "k.kube:1: RemapUsers=: is 'manual', which pods cannot have; it can be auto"),
    ],
)  # fmt: skip
def test_what_is_missing_is_named(folder: Folder, name: str, text: str, error: str) -> None:
    folder.write(name, text)
    assert folder.errors == [error]


@pytest.mark.parametrize(
    "line",
    [
        "DNS=1.1.1.1,2.2.2.2",
        "DropCapability=chown,kill",
        "Image=docker-archive:/images/a.tar:b:1",
        "Image=0123456789ab",
        "Network=bridge:alias=a",
        "Network=pasta:-t,auto",
        "PublishPort=%i:80",
        "Memory=${SIZE}",
        "Mount=type=bind,source=%h,target=/x",
        "LogOpt=tag={{.Name}}",
        "HealthLogDestination=/not/yet/there",
        "EnvironmentFile=/not/yet/there",
        "Secret=not-yet-there,type=env",
    ],
)
def test_what_pod_takes_and_what_need_not_be_there_yet_is_right(folder: Folder, line: str) -> None:
    folder.write("c.container", container(line))
    assert folder.errors == []


def test_the_owner_of_a_volume_may_be_named(folder: Folder) -> None:
    folder.write("v.volume", "[Volume]\nUser=root\nGroup=root\n")
    assert (
        folder.command("v-volume.service") == "volume create --ignore --opt=o=uid=0,gid=0 systemd-v"
    )


@pytest.mark.parametrize("option", sorted(grammars.COMMAS | {"--pull"}))
def test_the_grammars_are_those_of_run(option: str) -> None:
    from pod.cli.declare import index_options
    from pod.cli.main import load_command
    from pod.cli.options.image import _POLICIES

    known = index_options(load_command("run").options)
    assert set(grammars.PULL) == set(_POLICIES)
    assert (known[option].kind == "comma") == (option in grammars.COMMAS)


def test_files_that_wait_for_each_other_are_refused(folder: Folder) -> None:
    folder.write("a.container", container("Network=b.container"))
    folder.write("b.container", "[Unit]\nAfter=a.container\n" + container(""))
    folder.write("c.container", container("Network=a.container"))
    assert folder.errors == [
        "a.container:3: Network=: 'a.container' and 'b.container' wait for each other",
        "b.container:2: After=: 'b.container' and 'a.container' wait for each other",
    ]


def test_two_files_for_one_service_are_refused(folder: Folder) -> None:
    folder.write("a.container", container(""))
    folder.write("b.container", container("ServiceName=a"))
    assert folder.errors == [
        f"b.container:1: '{folder.path}/a.container' makes the service a, too".replace(
            f"{folder.path}/", ""
        )
    ]
    assert list(folder.generate().services) == ["a.service"]


def test_two_files_for_one_container_are_refused(folder: Folder) -> None:
    folder.write("a.container", container("ContainerName=web"))
    folder.write("b.container", container("ContainerName=web"))
    folder.write("c.container", container("ContainerName=%p-web"))
    folder.write("d.container", container("ContainerName=%p-web\nPublishPort=%i:80"))
    folder.write("t@.container", container("ContainerName=many"))
    os.symlink("t@.container", folder.path / "t@one.container")
    assert folder.errors == [
        "b.container:3: ContainerName=: 'a.container' has a container named 'web', too: each would replace the other's"
    ]
    assert "t@one.service" in folder.generate().services


def test_one_that_refers_to_a_wrong_one_is_wrong(folder: Folder) -> None:
    folder.write("a.container", container("Network=b.container"))
    folder.write("b.container", container("Foo=1"))
    assert len(folder.errors) == 2


def test_files_that_cannot_be_read(folder: Folder) -> None:
    os.symlink("nowhere", folder.path / "a.container")
    (folder.path / "b.container").write_bytes(b"[Container]\nImage=\xff\n")
    os.mkfifo(folder.path / "c.container")
    folder.write("e.container", container("Exec=a\0b"))
    folder.write("marked.container", "\ufeff" + container(""))
    os.symlink("/dev/zero", folder.path / "d.container")
    folder.write("good.container", container(""))
    assert folder.errors == [
        "a.container: cannot be read: No such file or directory",
        "b.container: is not text in UTF-8",
        "c.container: cannot be read: it is no regular file",
        "d.container: cannot be read: it is no regular file",
        "e.container:3: has a zero byte in it",
    ]


def test_the_first_directory_wins(tmp_path: Path) -> None:
    one, two = Folder(tmp_path / "1"), Folder(tmp_path / "2")
    one.write("c.container", container("HostName=first"))
    two.write("c.container", container("HostName=second"))
    os.symlink("..", tmp_path / "2" / "round")
    generated = generator.generate([str(one.path), str(two.path)], ["/opt/pod"])
    assert "--hostname=first" in generated.services["c.service"]


def test_kubernetes_documents_are_played_and_waited_for(folder: Folder) -> None:
    folder.write("n.network", "[Network]\n")
    folder.write(
        "k.kube",
        "[Kube]\nYaml=shop.yaml\nConfigMap=maps.yaml\nNetwork=n.network\nPublishPort=80:80\nAutoUpdate=registry\n"
        "AutoUpdate=web/local\nExitCodePropagation=all\nKubeDownForce=true\nSetWorkingDirectory=yaml\n",
    )
    assert folder.command("k.service") == (
        "kube play --replace --wait --service-exit-code-propagation=all --annotation=io.containers.autoupdate=registry "
        f"--annotation=io.containers.autoupdate/web=local --configmap={folder.path}/maps.yaml --publish=80:80 "
        f"--network=systemd-n {folder.path}/shop.yaml"
    )
    assert folder.lines("k.service", "ExecStopPost") == [
        f"-/opt/pod kube down --force {folder.path}/shop.yaml"
    ]
    assert folder.lines("k.service", "WorkingDirectory") == [str(folder.path)]


@pytest.mark.parametrize("suffix", keys.TYPES)
def test_options_of_the_tables_exist(suffix: str) -> None:
    """Each key is an option that pod has, or refuses with a reason of its own."""
    from pod.cli import table
    from pod.cli.declare import index_options
    from pod.cli.main import load_command

    names = {"container": "run", "image": "pull", "artifact": "artifact pull"}
    name = names.get(suffix, f"{suffix} create")
    if suffix in {"build", "kube"}:
        name = {"build": "build", "kube": "kube play"}[suffix]
        if name not in table.COMMANDS:
            return
    known = index_options(load_command(table.COMMANDS[name][0]).options)
    rows = keys.TYPES[suffix][1].items()
    wanted = {key: option.partition(" ")[0] for key, (kind, option, _) in rows if kind != keys.OWN}
    assert [key for key, option in wanted.items() if option not in known] == []
    refused = {
        key: known[option].refused for key, option in wanted.items() if known[option].refused
    }
    named = {
        key: why for (kind, key), why in keys.REFUSED.items() if kind == suffix and key in wanted
    }
    assert refused == named


@pytest.mark.parametrize("suffix", keys.TYPES)
def test_the_manual_page_has_every_key(suffix: str) -> None:
    section, table, _ = keys.TYPES[suffix]
    tree = Path(__file__).parents[3]
    page = (tree / "man" / "pod-quadlet.5.md").read_text().split(f"## [{section}]: ")[1]
    rows = [
        line.split(" | ") for line in page.split("\n## ")[0].splitlines()[4:] if line[:2] == "| "
    ]
    shown = {row[0][2:]: (row[2], row[3][:-2]) for row in rows if row[0] != "| key"}
    assert shown == {
        key: (
            row[2],
            "no" if (suffix, key) in keys.REFUSED else "yes",
        )
        for key, row in table.items()
    }


def test_the_generator_loads_little() -> None:
    script = (
        "import sys, pod.quadlet.generator, pod.quadlet.container, pod.quadlet.others, pod.quadlet.pods;"
        "print(*sys.modules)"
    )
    done = subprocess.run(
        [
            sys.executable,
            "-I",
            "-S",
            "-c",
            f"import sys; sys.path.insert(0, {str(Path(__file__).parents[3])!r}); {script}",
        ],
        capture_output=True,
        text=True,
        check=True,
    )
    loaded = set(done.stdout.split())
    assert not loaded & {
        "re",
        "json",
        "typing",
        "enum",
        "pathlib",
        "subprocess",
        "socket",
        "dataclasses",
        "click",
        "sqlite3",
        "tempfile",
        "difflib",
    }
    assert not [
        name
        for name in loaded
        if name.startswith(("pod.engine", "pod.cli", "pod.linux", "storage", "netns"))
    ]
