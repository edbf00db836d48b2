"""Killed some ten times in another folder and environment, the pipeline ends with the bytes of the undisturbed run.

The long form of this is `python -m benchmarks.faults`.
"""

import random
from pathlib import Path

import pytest

from benchmarks.killing import Found, disturbed
from tests.pipeline_runs.clone import output_hashes, run

pytestmark = pytest.mark.dvc


def test_a_run_that_was_killed_again_and_again_has_the_same_bytes(project: Path, tmp_path: Path) -> None:
    found = Found()
    hashes = disturbed(tmp_path, found, kills=10, chance=random.Random(3))
    assert hashes == output_hashes(run(project, "git", "show", "HEAD:dvc.lock"))
    assert sum(found.kills.values()) >= 8
    assert (found.survivors, found.failed, found.tracebacks) == ([], [], 0)
