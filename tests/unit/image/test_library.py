"""What is loaded for a request, in an interpreter of its own."""

from __future__ import annotations

import subprocess
import sys

PROGRAM = """
import sys
before = set(sys.modules)
from pod.image.connections import load_library
load_library()
assert "urllib3" in sys.modules
assert "importlib.metadata" not in sys.modules
from urllib3 import http2
assert http2.version("urllib3") == __import__("urllib3").__version__
load_library()
import importlib.metadata
assert importlib.metadata.version("urllib3") == http2.version("urllib3")
"""


def test_urllib3_is_loaded_without_metadata_of_packages_which_stay_to_be_had() -> None:
    subprocess.run([sys.executable, "-c", PROGRAM], check=True, timeout=60)
