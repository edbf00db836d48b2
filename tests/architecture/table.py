"""Which stages a changed parameter runs again: by hand, and as the table of docs/what-runs.md.

`python -m tests.architecture.table` prints it.
"""

from collections.abc import Iterable
from fnmatch import fnmatch

# {task}, {student} and {source} are those whose parameters changed; `*` are all of them. `plan` is in no row: it runs
# at every change, and what follows from it is what reads a file of it that came out differently.
RELEASED = "release@{task}-{student} report"
MEASURED = f"export@{{task}}-{{student}} measure@{{task}}-{{student}} evaluate@{{task}}-{{student}} {RELEASED}"
STUDENT = f"finetune_student@{{task}}-{{student}} {MEASURED}"
TAUGHT = f"teach@{{task}} {STUDENT}"
TEACHER = f"finetune_teacher@{{task}} {TAUGHT}"
CLOZE = f"cloze@{{task}} {TAUGHT}"
GENERAL = f"distill@{{student}} {STUDENT}"
SHRUNK = f"shrink@{{student}} gather {GENERAL}"
PRETRAINED = f"pretrain shrink@* gather distill@* {TEACHER}"
PREPARED = "prepare_task@* floor@* cloze@* task_texts"
TABLE = {
    "compute": PRETRAINED,
    "sources.R": f"fetch@{{source}} prepare_corpus initialize pack {PREPARED} {PRETRAINED}",
    "prepare_corpus": f"prepare_corpus cloze@* initialize pack task_texts {PRETRAINED}",
    "initialize": f"initialize pack task_texts {PRETRAINED}",
    "pack": f"pack task_texts {PRETRAINED}",
    "pretrain": PRETRAINED,
    "shrink": SHRUNK,
    "students.S": SHRUNK,
    "students.S.teacher_layers": GENERAL,
    "task_texts": f"task_texts {SHRUNK}",
    "distill": GENERAL,
    "finetuning.teacher": TEACHER,
    "finetuning.teaching": CLOZE,
    "finetuning.student": STUDENT,
    "export": MEASURED,
    "measure": f"measure@{{task}}-{{student}} {RELEASED}",
    "tasks.T.kind": f"prepare_task@{{task}} floor@{{task}} cloze@{{task}} task_texts {TEACHER}",
    "tasks.T.data": f"prepare_task@{{task}} floor@{{task}} cloze@{{task}} task_texts {TEACHER}",
    "tasks.T.metric": TEACHER,
    "tasks.T.encoding": TEACHER,
    "tasks.T.decoding": TEACHER,
    "tasks.T.teacher": TEACHER,
    "tasks.T.teaching": CLOZE,
    "tasks.T.student": STUDENT,
}
LETTERS = {"task": "T", "student": "S", "source": "R"}

CAPTION = (
    "`T` is one task, `S` one student, `R` one source, `*` all of them; the row of `sources.R` is that of the default, "
    "whose one source feeds the corpus and all tasks. `plan` runs at every change. A default in `finetuning` that a "
    "task overrides leaves that task alone. `task_texts` writes the same bytes again where it does not name the task, "
    "`cloze` where it makes no questions, `gather` always. Fewer stages run where an output comes out the same as "
    "before: what only follows from it is then left alone."
)


def row_of(path: tuple[str, ...]) -> str:
    """The row of TABLE for the parameter at `path`."""
    if path[0] == "sources":
        return "sources.R"
    if path[0] == "students":
        return "students.S.teacher_layers" if path[2] == "teacher_layers" else "students.S"
    if path[0] == "finetuning":
        return ".".join(path[:2])
    return f"tasks.T.{path[2]}" if path[0] == "tasks" else path[0]


def expected(row: str, stages: Iterable[str], *, task: str = "*", student: str = "*", source: str = "*") -> set[str]:
    """The stages of a row, of those that there are."""
    patterns = TABLE[row].format(task=task, student=student, source=source).split()
    return {stage for stage in stages for pattern in patterns if fnmatch(stage, pattern)}


def markdown() -> str:
    lines = ["| Changed in `params.yaml` | What runs again |", "|---|---|"]
    for row, stages in TABLE.items():
        letters = {name: letter if f".{letter}" in row else "*" for name, letter in LETTERS.items()}
        shown = stages.format(**letters).replace("*-*", "*").split()
        lines.append(f"| `{row}` | {', '.join(f'`{stage}`' for stage in shown)} |")
    return "\n".join([*lines, "", CAPTION])


if __name__ == "__main__":
    print(markdown())
