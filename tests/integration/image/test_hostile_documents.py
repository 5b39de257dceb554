"""Indexes, manifests and configurations in which anything may stand anywhere: an image or a sentence, and nothing else.

Hypothesis changes good documents in some places: absurd numbers, media types, nested lists, missing fields, numbers as
text, text that no terminal should see. Digests and sizes are put right again, so that the changes get through to
whoever reads them. Whatever is taken into the store is then shown by every command that shows images.
"""

from __future__ import annotations

import copy
import json
import os
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pod.base.errors import PodError
from pod.base.log import visible
from pod.engine import image_list, inspect_image
from pod.engine.context import Engine
from pod.image import archives, media_types
from pod.image.access import Access
from pod.image.connections import Settings
from pod.image.progress import Silence
from pod.image.pull import pull
from pod.spec import merge, reference
from pod.spec.container import ContainerConfig
from storage.store import Store
from tests.integration.image.faulty import FaultyRegistry, digest_of
from tests.support.engine import program
from tests.support.layout import Entry, layer_tar

LAYER = layer_tar([Entry("file", b"content")])
OURS = {"images", "layers", "locks", "staging", "trash", "storage.json"}
Documents = dict[str, Any]
Change = tuple[str, int, str, Any]

CONFIG: Documents = {
    "created": "2026-01-01T00:00:00Z",
    "author": "me",
    "architecture": "amd64",
    "os": "linux",
    "variant": "",
    "config": {
        "User": "me",
        "Env": ["A=b", "PATH=/bin"],
        "Cmd": ["sh"],
        "Entrypoint": ["/bin/sh"],
        "WorkingDir": "/",
        "Labels": {"a": "b"},
        "ExposedPorts": {"80/tcp": {}},
        "Volumes": {"/v": {}},
        "StopSignal": "SIGTERM",
        "Healthcheck": {"Test": ["CMD", "true"], "Interval": 1_000_000_000, "Retries": 3},
    },
    "rootfs": {"type": "layers", "diff_ids": [digest_of(LAYER)]},
    "history": [{"created": "2026-01-01T00:00:00Z", "created_by": "x", "empty_layer": False}],
}
MANIFEST: Documents = {
    "schemaVersion": 2,
    "mediaType": media_types.OCI_MANIFEST,
    "config": {"mediaType": media_types.OCI_CONFIG, "digest": "", "size": 0},
    "layers": [
        {"mediaType": media_types.OCI_LAYER, "digest": digest_of(LAYER), "size": len(LAYER)}
    ],
    "annotations": {"a": "b"},
}
INDEX: Documents = {
    "schemaVersion": 2,
    "mediaType": media_types.OCI_INDEX,
    "manifests": [
        {
            "mediaType": media_types.OCI_MANIFEST,
            "digest": "",
            "size": 0,
            "platform": {"os": "linux", "architecture": "amd64"},
            "annotations": {"org.opencontainers.image.ref.name": "localhost/x:1"},
        }
    ],
}

DEEP: Any = []
for _ in range(200):
    DEEP = [DEEP]
UNPRINTABLE = "\x1b]0;x\x07\r\n\0\u202e"
NASTY = st.sampled_from(
    [
        *(None, True, False, -1, 0, 1, 1.5, 1e308, 1 << 31, 1 << 63, 1 << 200, "1", "2", ""),
        *(UNPRINTABLE, "\ud800", "x" * 70_000, "é", "../../../../tmp/x", "/etc/passwd", "a=b", "="),
        *("sha256:", "sha256:../../../x", f"sha256:{'0' * 64}", f"SHA256:{'A' * 64}", "md5:" + "0" * 32),
        *(f"sha512:{'0' * 128}", digest_of(LAYER), "9999-99-99T99:99:99Z", "0001-01-01T00:00:00Z"),
        *(media_types.OCI_INDEX, media_types.DOCKER_LIST, media_types.DOCKER_MANIFEST, media_types.OCI_LAYER_ZSTD),
        *("application/vnd.docker.distribution.manifest.v1+prettyjws", "text/html", "localhost/x:1"),
        *([], {}, [None], [[]], [{}], {"": ""}, {"a": None}, {UNPRINTABLE: "\ud800"}, DEEP, ["x"] * 3000),
    ]
)  # fmt: skip
CHANGES = st.lists(
    st.tuples(
        st.sampled_from(["config", "config", "config", "manifest", "index"]),
        st.integers(0, 200),
        st.sampled_from(["set", "set", "set", "delete", "repeat", "wrap", "text"]),
        NASTY,
    ),
    min_size=1,
    max_size=2,
)
EXAMPLES = settings(
    max_examples=int(os.environ.get("POD_TEST_EXAMPLES", "60")),
    derandomize="POD_TEST_EXAMPLES" not in os.environ,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)


def places(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """The paths of everything below a value."""
    found = []
    items = (
        value.items()
        if isinstance(value, dict)
        else enumerate(value)
        if isinstance(value, list)
        else ()
    )
    for key, item in items:
        found += [(*path, key), *places(item, (*path, key))]
    return found


def changed(document: Documents, what: str, changes: list[Change]) -> Documents:
    """The document with those of the changes that are for it."""
    document = copy.deepcopy(document)
    for where, number, how, value in changes:
        paths = places(document)
        if where != what or not paths:
            continue
        *above, last = paths[number % len(paths)]
        holder: Any = document
        for key in above:
            holder = holder[key]
        if how == "delete":
            del holder[last]
        elif how == "wrap":
            holder[last] = [holder[last]]
        elif how == "text":
            holder[last] = str(holder[last])
        elif how == "repeat" and isinstance(holder, list) and len(paths) < 300:
            holder += [copy.deepcopy(holder[last]) for _ in range(200)]
        else:
            holder[last] = copy.deepcopy(value)
    return document


def to_json(document: Any) -> bytes:
    return json.dumps(document).encode()


class Made:
    """The documents as bytes, each with what refers to it put right before its own changes."""

    def __init__(self, changes: list[Change], manifest: Documents = MANIFEST) -> None:
        self.config = to_json(changed(CONFIG, "config", changes))
        document = copy.deepcopy(manifest)
        document["config"] |= {"digest": digest_of(self.config), "size": len(self.config)}
        self.manifest = to_json(changed(document, "manifest", changes))
        document = copy.deepcopy(INDEX)
        document["manifests"][0] |= {
            "digest": digest_of(self.manifest),
            "size": len(self.manifest),
        }
        self.index = to_json(changed(document, "index", changes))

    @property
    def blobs(self) -> tuple[bytes, ...]:
        return (LAYER, self.config, self.manifest, self.index)


def load(made: Made, store: Store, server: FaultyRegistry, directory: str) -> None:
    """As an OCI layout."""
    blobs = f"{directory}/blobs/sha256"
    os.makedirs(blobs, exist_ok=True)
    for data in made.blobs:
        Path(f"{blobs}/{digest_of(data)[7:]}").write_bytes(data)
    Path(f"{directory}/oci-layout").write_bytes(b'{"imageLayoutVersion":"1.0.0"}')
    Path(f"{directory}/index.json").write_bytes(made.index)
    archives.load(store, directory, Silence())


def load_directory(made: Made, store: Store, server: FaultyRegistry, directory: str) -> None:
    """As a `dir:`."""
    os.makedirs(directory, exist_ok=True)
    for data in made.blobs:
        Path(f"{directory}/{digest_of(data)[7:]}").write_bytes(data)
    Path(f"{directory}/version").write_bytes(b"Directory Transport Version: 1.1\n")
    Path(f"{directory}/manifest.json").write_bytes(made.manifest)
    archives.load(store, directory, Silence(), kind="dir")


def pull_it(made: Made, store: Store, server: FaultyRegistry, directory: str) -> None:
    """From a registry that says the type that the document should have."""
    for data in made.blobs:
        server.add_blob(data)
    server.add_manifest("me/x:1", made.manifest)
    server.add_manifest("me/x:latest", made.index, media_types.OCI_INDEX)
    settings_ = Settings(retries=0, retry_delay_seconds=0)
    pull(
        store, reference.parse(f"{server.host}/me/x:latest"), Access(settings=settings_), Silence()
    )


@pytest.mark.parametrize("bring", [load, load_directory, pull_it])
def test_an_image_or_a_sentence(
    store: Store,
    server: FaultyRegistry,
    tmp_path: Path,
    bring: Callable[[Made, Store, FaultyRegistry, str], None],
) -> None:
    outcomes = {"taken": 0, "refused": 0}
    bring(Made([]), store, server, str(tmp_path / "source"))  # as they are, they are good
    beside = set(os.listdir(os.path.dirname(store.root)))

    @EXAMPLES
    @given(CHANGES)
    def check(changes: list[Change]) -> None:
        made = Made(changes)
        try:
            bring(made, store, server, str(tmp_path / "source"))
        except PodError as error:
            outcomes["refused"] += 1
            shown = visible(f"{error.message}{error.hint}").encode("utf-8", "surrogateescape")
            assert len(shown) < 2000, shown
        else:
            outcomes["taken"] += 1

    check()
    assert all(outcomes.values()), f"{outcomes}: the changes are too harmless, or too harmful"
    assert set(os.listdir(os.path.dirname(store.root))) == beside
    assert set(os.listdir(store.root)) <= OURS
    everything_can_be_shown(store, str(tmp_path))


def everything_can_be_shown(store: Store, directory: str) -> None:
    """Every command that shows images works with all that have been taken."""
    engine = Engine(root=store.root, runroot=f"{directory}/run")
    for image in store.images.list():
        json.dumps(inspect_image.document(engine, image.id))
        inspect_image.history(engine, image.id)
        try:
            defaults: Any = image.config().get("config") or {}
            merge.with_image_defaults(ContainerConfig(image="x"), defaults, {})
        except PodError as error:
            visible(error.message).encode("utf-8", "surrogateescape")
    assert image_list.all_images(engine)
    ids = [image.id for image in store.images.list()][:40]
    for words in (["images", "-a", "--digests"], ["images", "--format", "json"], ["system", "df", "-v"],
                  ["image", "inspect", *ids], ["history", ids[0]], ["images", "--filter", "label=a"]):  # fmt: skip
        done = subprocess.run(
            [*program(), "--root", store.root, "--runroot", f"{directory}/run", *words],
            capture_output=True,
            timeout=60,
        )
        assert b"Traceback" not in done.stderr and b"at fault" not in done.stderr, done.stderr
        assert done.returncode == 0, done.stderr
        assert b"\x1b" not in done.stdout and b"\0" not in done.stdout, words
