"""A small git repository with a few runs in its history."""

import json
import subprocess
from pathlib import Path

ENVIRONMENT = {
    **{
        f"GIT_{role}_{field}": text
        for role in ("AUTHOR", "COMMITTER")
        for field, text in (("NAME", "A"), ("EMAIL", "a@b.invalid"), ("DATE", "2024-05-06T07:08:09Z"))
    },
    **{"GIT_CONFIG_GLOBAL": "/dev/null", "GIT_CONFIG_SYSTEM": "/dev/null", "PATH": "/usr/bin:/bin:/usr/local/bin"},
}


def git(folder: Path, *arguments: str) -> str:
    done = subprocess.run(["git", *arguments], cwd=folder, env=ENVIRONMENT, capture_output=True, text=True, check=True)
    return done.stdout.strip()


def write(folder: Path, *, layers: int, score: float, task: str = "library", student: str = "small") -> None:
    """What a run leaves: params.yaml and the metrics of one task and student."""
    (folder / "params.yaml").write_text(f"students:\n  small: {{num_hidden_layers: {layers}, hidden_size: 128}}\n")
    teacher = {"metric": "accuracy", "score": score, "score_low": score - 0.03, "score_high": score + 0.03}
    numbers = {**teacher, "score": score - 0.01, "retained": 0.98, "parameters": 1520130}
    place = folder / "reports/metrics" / task
    place.mkdir(parents=True, exist_ok=True)
    for model, values in (("teacher", teacher), (student, numbers)):
        (place / f"{model}.json").write_text(json.dumps(values))


def commit(folder: Path, subject: str) -> str:
    git(folder, "add", "-A")
    git(folder, "commit", "-qm", subject)
    return git(folder, "rev-parse", "HEAD")


def history(folder: Path, *, subject: str = "Fewer layers") -> None:
    """A commit before any run, two runs with a commit between them that has none, and an experiment on the last."""
    folder.mkdir(exist_ok=True)
    git(folder, "init", "-q", "-b", "main")
    (folder / "README.md").write_text("first\n")
    commit(folder, "Begin")
    write(folder, layers=4, score=0.7)
    commit(folder, "The first run")
    (folder / "README.md").write_text("second\n")
    commit(folder, "Words only")
    write(folder, layers=2, score=0.65)
    base = commit(folder, subject)
    git(folder, "checkout", "-q", "--detach")
    write(folder, layers=1, score=0.5)
    tried = commit(folder, "dvc: commit experiment")
    git(folder, "update-ref", f"refs/exps/{base[:2]}/{base[2:]}/lucky-name", tried)
    git(folder, "update-ref", "refs/exps/exec/EXEC_HEAD", tried)
    git(folder, "checkout", "-q", "main")
