"""Kills of a small pipeline whose stages only count: its trainings save how far they have come."""

import random
from pathlib import Path
from textwrap import dedent

import pytest

from benchmarks.clones import ENVIRONMENT, output_hashes, run
from benchmarks.kill_schedule import Kill, Schedule
from benchmarks.killing import KINDS, Record, disturb

STEPS, SECONDS = 100, 0.04
TRAINING = f"""\
    import ctypes, os, signal, time
    from pathlib import Path

    def point():
        for name in ("state", "previous"):
            try:
                text = Path(f"{{place}}/{{name}}.safetensors").read_text()
            except FileNotFoundError:
                continue
            if text.endswith("."):
                return int(text[:-1])
            print(f"{{name}} is damaged (cut); it is not used", flush=True)
        return 0

    ctypes.CDLL(None).prctl(1, signal.SIGKILL)  # it dies with dvc
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    name = os.environ["DVC_STAGE"]
    place = Path(".state/resume") / name / "digest"
    place.mkdir(parents=True, exist_ok=True)
    first = point()
    if first:
        print(f"{{name}}: resumes after step {{first}}/{STEPS}", flush=True)
    for step in range(first, {STEPS}):
        time.sleep({SECONDS})
        if step % 10 == 9:
            (place / "partial").write_text(f"{{step + 1}}.")
            if (place / "state.safetensors").exists():
                os.replace(place / "state.safetensors", place / "previous.safetensors")
            os.replace(place / "partial", place / "state.safetensors")
    Path(name).write_text("trained")
    for file in place.iterdir():
        file.unlink()
"""
DVC_YAML = """\
stages:
  plan: {cmd: exec python -m stages.plan, outs: [planned]}
  pretrain: {cmd: exec python -m stages.pretrain, deps: [planned], outs: [pretrain]}
  distill: {cmd: exec python -m stages.distill, deps: [pretrain], outs: [distill]}
"""
LENGTHS = {"plan": 0.1, "pretrain": STEPS * SECONDS, "distill": STEPS * SECONDS}


@pytest.fixture
def project(tmp_path: Path) -> Path:
    folder = tmp_path / "a project"
    (folder / "stages").mkdir(parents=True)
    (folder / "dvc.yaml").write_text(DVC_YAML)
    (folder / "stages/plan.py").write_text("open('planned', 'w').close()\n")
    for name in ("pretrain", "distill"):
        (folder / f"stages/{name}.py").write_text(dedent(TRAINING))
    run(folder, "git", "init", "-q")
    run(folder, "dvc", "init", "-q")
    return folder


@pytest.mark.dvc
def test_a_killed_training_is_resumed_and_all_that_happens_is_counted(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, seconds in {"STARTING": 0.2, "FIRST_POINT": 0.3}.items():
        monkeypatch.setattr(f"benchmarks.kill_schedule.{name}", seconds)
    (project / "dvc.lock").write_text("")  # as a kill of dvc may leave it
    record, chance = Record(), random.Random(1)
    schedule = Schedule(6, LENGTHS, kinds=KINDS, chance=chance)
    disturb(project, record, schedule, environment=ENVIRONMENT, chance=chance)
    assert output_hashes((project / "dvc.lock").read_text()).keys() == {"planned", "pretrain", "distill"}
    assert (project / "distill").read_text() == "trained"
    assert record.kinds.total() == 6 - len(schedule.pending) >= 4
    assert record.resumable >= 3 and record.resumes.total() >= 2
    assert record.shells.total() == record.stages.total() == len(record.lost) == record.kinds.total()
    assert (record.cut_off, record.failed) == ({"dvc.lock": 1}, [])
    assert (record.survivors, record.tracebacks) == ([], 0)


@pytest.mark.dvc
def test_a_stage_that_outlives_dvc_is_counted(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("benchmarks.killing.AFTER", 1.0)
    (project / "dvc.yaml").write_text(DVC_YAML.partition("  pretrain:")[0])
    (project / "stages/plan.py").write_text("import time\ntime.sleep(3)\nopen('planned', 'w').close()\n")
    record, chance = Record(), random.Random(1)
    schedule = Schedule(0, LENGTHS, kinds=KINDS, chance=chance)
    schedule.pending = [Kill("plan", "kill dvc", 0.5, resumable=False)]
    disturb(project, record, schedule, environment=ENVIRONMENT, chance=chance)
    assert [survivor.partition(":")[0] for survivor in record.survivors] == ["kill dvc"]


def test_resumes_are_counted_once_for_each_run_of_a_stage() -> None:
    record = Record()
    record.read("Running stage 'finetune_student@library':\ninner: resumes after step 9/9\nstudent: resumes after step "
                "1/9\nRunning stage 'evaluate@library':\nRunning stage 'pretrain':\npretrain: resumes after step 7/9\n"
                "state is damaged (cut); it is not used\n")  # fmt: skip
    assert record.resumes == {"finetune_student": 1, "pretrain": 1, "evaluate": 0}
    assert record.damaged == 1
