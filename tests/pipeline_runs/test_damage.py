"""Files of a pipeline that the machine or a merge has damaged, and how to go on."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from benchmarks.clones import ENVIRONMENT, edit, output_hashes, run, stages_run
from stages.pipeline.dependencies import content_hash
from tests.disk import small_disk

pytestmark = pytest.mark.dvc


def failed(folder: Path, *command: str) -> str:
    """Standard error of a command, which has to fail."""
    done = subprocess.run(command, cwd=folder, env=ENVIRONMENT, capture_output=True, text=True)
    assert done.returncode != 0, done.stdout
    assert "Traceback" not in done.stdout + done.stderr
    return done.stderr


def test_the_content_hash_of_an_output_is_that_of_dvc(project: Path) -> None:
    hashes = output_hashes((project / "dvc.lock").read_text())
    assert {path: content_hash(project / path) for path in hashes} == hashes


def test_a_damaged_cache_object_is_noticed_before_it_is_used(copy: Path) -> None:
    folder = copy / "models/shrunk/small"
    file = folder / "model.safetensors"
    digest = content_hash(file)
    damaged = copy / ".dvc/cache/files/md5" / digest[:2] / digest[2:]
    content = damaged.read_bytes()
    damaged.unlink()
    damaged.write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
    damaged.chmod(0o444)
    shutil.rmtree(folder)
    run(copy, "dvc", "checkout", "models/shrunk/small")
    edit(copy, {"distill.seed": 7})
    message = failed(copy, "dvc", "repro", "distill")
    assert "ERROR: distill@small: models/shrunk/small is not what DVC has recorded" in message
    assert f"remove models/shrunk/small and {damaged.relative_to(copy)}, then run `dvc repro`" in message
    shutil.rmtree(folder)
    damaged.unlink()
    assert stages_run(run(copy, "dvc", "repro", "distill")) == {"shrink@small", "distill@small"}
    assert content_hash(file) == digest


def test_a_lock_file_with_conflict_markers_is_named_and_mended_by_either_side(copy: Path) -> None:
    whole = (copy / "dvc.lock").read_text()
    first, _, rest = whole.partition("\n")
    (copy / "dvc.lock").write_text(f"{first}\n<<<<<<< HEAD\n{rest}=======\n{rest}>>>>>>> other\n")
    assert "dvc.lock' is invalid (possible merge conflicts)" in failed(copy, "dvc", "repro")
    (copy / "dvc.lock").write_text(whole)
    assert stages_run(run(copy, "dvc", "repro")) == set()


@pytest.mark.parametrize(("kept", "expected"), [(0, "validation failed"), (10, "is invalid")])
def test_a_truncated_lock_file_is_removed_and_only_the_report_runs(copy: Path, kept: int, expected: str) -> None:
    """DVC writes it in place."""
    hashes = output_hashes((copy / "dvc.lock").read_text())
    os.truncate(copy / "dvc.lock", kept)
    assert f"dvc.lock' {expected}" in failed(copy, "dvc", "repro")
    (copy / "dvc.lock").unlink()
    assert stages_run(run(copy, "dvc", "repro")) == {"report"}  # git keeps its outputs, not the cache
    assert output_hashes((copy / "dvc.lock").read_text()) == hashes


def test_a_truncated_list_of_locks_is_removed_and_no_stage_runs_again(copy: Path) -> None:
    """DVC writes it in place too."""
    (copy / ".dvc/tmp/rwlock").write_text("")
    edit(copy, {"distill.seed": 7})
    assert "Unable to read RWLock-file '.dvc/tmp/rwlock'" in failed(copy, "dvc", "repro")
    (copy / ".dvc/tmp/rwlock").unlink()
    run(copy, "git", "checkout", "-q", "params.yaml")
    assert stages_run(run(copy, "dvc", "repro")) == set()


def test_a_concurrent_repro_is_refused_and_damages_nothing(copy: Path) -> None:
    expected = output_hashes((copy / "dvc.lock").read_text())
    command = ("dvc", "repro", "--force", "--single-item", "finetune_teacher@library")
    first = subprocess.Popen(command, cwd=copy, env=ENVIRONMENT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                             text=True)  # fmt: skip
    assert first.stdout is not None
    next(line for line in first.stdout if "python -m stages.finetune_teacher" in line)
    message = failed(copy, *command)
    assert "is busy, it is being blocked by" in message or "is already running" in message
    first.communicate()
    assert first.returncode == 0
    assert output_hashes((copy / "dvc.lock").read_text()) == expected


def test_a_full_disk_is_named_and_the_next_run_goes_on(copy: Path, tmp_path: Path) -> None:
    place = copy / "models/tasks"
    shutil.move(place, tmp_path / "kept")
    place.mkdir()
    with small_disk(place, 300 * 1024):
        message = failed(copy, "dvc", "repro", "--force", "--single-item", "finetune_teacher@library")
        assert "ERROR: finetune_teacher@library: no space left on the device" in message
        assert list(place.rglob("*.partial")) == []
    run(copy, "dvc", "repro")
    assert "up to date" in run(copy, "dvc", "status")


def test_a_read_only_folder_is_named_and_the_next_run_goes_on(copy: Path) -> None:
    """Root may write everywhere, unless that right is given up."""
    rights = "-dac_override,-dac_read_search"
    without = ("setpriv", f"--bounding-set={rights}", f"--inh-caps={rights}") if os.geteuid() == 0 else ()
    if without and (not shutil.which("setpriv") or subprocess.run([*without, "true"]).returncode):
        pytest.skip("root cannot give its rights up here")
    place = copy / "data/tasks"
    shutil.rmtree(place / "library")
    place.chmod(0o555)
    message = failed(copy, *without, "dvc", "repro", "--force", "--single-item", "prepare_task@library")
    assert "ERROR: prepare_task@library: permission denied: data/tasks/.library.partial; no partial" in message
    place.chmod(0o755)
    run(copy, "dvc", "repro")
    assert "up to date" in run(copy, "dvc", "status")
