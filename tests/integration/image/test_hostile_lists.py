"""Lists and artifacts in which anything may stand anywhere, from a registry: taken as they are, or a sentence.

The changes are those of test_hostile_documents.py. What is taken goes through everything that lists and artifacts are
for: shown, annotated, written elsewhere, extracted; nothing is written outside of where it was asked for.
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given

from pod.base.errors import PodError
from pod.base.log import visible
from pod.engine import artifacts, df, list_push, lists, manifest, pull_whole
from pod.engine.context import Engine
from pod.engine.images import PullOptions
from pod.engine.push import PackOptions
from pod.image import media_types
from pod.image.lists import Changes
from storage.store import Store
from tests.integration.image.faulty import FaultyRegistry, digest_of
from tests.integration.image.test_hostile_documents import (
    CHANGES,
    EXAMPLES,
    LAYER,
    MANIFEST,
    Change,
    Documents,
    Made,
)

ARTIFACT: Documents = {
    "schemaVersion": 2,
    "mediaType": media_types.OCI_MANIFEST,
    "artifactType": "application/x.y",
    "config": {"mediaType": "application/vnd.oci.empty.v1+json"},
    "layers": [
        {
            "mediaType": "text/plain",
            "digest": digest_of(LAYER),
            "size": len(LAYER),
            "annotations": {"org.opencontainers.image.title": "file", "a": "b"},
        }
    ],
    "annotations": {"a": "b"},
}
OPTIONS = PullOptions(retries=0, retry_delay_ns=0, tls_verify=False)
Bring = Callable[[Engine, str, Path], None]


def whole_list(engine: Engine, place: str, directory: Path) -> None:
    pull_whole.pull_all_platforms(engine, f"{place}:latest", OPTIONS)
    every_use_of(engine, f"{place}:latest", directory)


def list_made_here(engine: Engine, place: str, directory: Path) -> None:
    """Of the images of a list, and of an image alone, with all that they say of themselves."""
    record = manifest.create(
        engine, "mine", [f"docker://{place}:latest"], OPTIONS, everything=True, amend=True
    )
    try:
        manifest.add(engine, "mine", [f"docker://{place}:1"], Changes(), OPTIONS)
        every_use_of(engine, "mine", directory)
    finally:
        engine.store.lists.remove(record.id)


def artifact(engine: Engine, place: str, directory: Path) -> None:
    name = f"{place}:1"
    artifacts.pull_artifact(engine, name, OPTIONS)
    json.dumps(artifacts.document(engine, name))
    target = directory / "files"
    target.mkdir(exist_ok=True)
    try:
        artifacts.extract(engine, name, str(target))
    finally:
        artifacts.file_bytes(artifacts.find(engine, name))


def seen_from_afar(engine: Engine, place: str, directory: Path) -> None:
    for tag in ("latest", "1"):
        json.dumps(manifest.inspect(engine, f"docker://{place}:{tag}", OPTIONS))


def every_use_of(engine: Engine, name: str, directory: Path) -> None:
    record = lists.find(engine, name)
    json.dumps(manifest.inspect(engine, name, OPTIONS))
    assert record.names
    shape = list_push.Shape(form=PackOptions())
    for target in (f"oci:{directory}/layout:x", f"dir:{directory}/dir"):
        list_push.push(engine, name, target, OPTIONS, shape)
        shutil.rmtree(target.split(":")[1])


@pytest.mark.parametrize("bring", [whole_list, list_made_here, artifact, seen_from_afar])
def test_taken_or_a_sentence(
    store: Store, server: FaultyRegistry, tmp_path: Path, bring: Bring
) -> None:
    outcomes = {"taken": 0, "refused": 0}
    engine = Engine(root=store.root, runroot=str(tmp_path / "run"))
    place = f"{server.host}/me/x"

    def attempt(changes: list[Change]) -> None:
        made = Made(changes, ARTIFACT if bring is artifact else MANIFEST)
        for data in made.blobs:
            server.add_blob(data)
        server.add_manifest("me/x:1", made.manifest)
        server.add_manifest("me/x:latest", made.index, media_types.OCI_INDEX)
        bring(engine, place, tmp_path)

    attempt([])  # as they are, they are good
    beside = set(os.listdir(os.path.dirname(store.root)))

    @EXAMPLES
    @given(CHANGES)
    def check(changes: list[Change]) -> None:
        try:
            attempt(changes)
        except PodError as error:
            outcomes["refused"] += 1
            shown = visible(f"{error.message}{error.hint}").encode("utf-8", "surrogateescape")
            assert len(shown) < 2000, shown
        else:
            outcomes["taken"] += 1

    check()
    assert all(outcomes.values()), f"{outcomes}: the changes are too harmless, or too harmful"
    assert set(os.listdir(os.path.dirname(store.root))) == beside
    assert set(os.listdir(tmp_path)) <= {"run", "layout", "dir", "files"}
    df.measure(engine)
    engine.close()
