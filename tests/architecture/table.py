"""Which stages a changed parameter runs again: by hand, and as the table of the README.

`python -m tests.architecture.table` prints it.
"""

from collections.abc import Iterable

# `@T` is the instance of the task T whose parameters changed, `@*` those of all tasks; the same for sources, `@S`.
# `check` is in no row: it runs at every change of params.yaml, and nothing runs because of it.
MEASURED = "export@{0} benchmark@{0} evaluate@{0} report"
STUDENT = f"finetune_student@{{0}} {MEASURED}"
TEACHER = f"finetune_teacher@{{0}} {STUDENT}"
ALL = TEACHER.format("*")
ONE = TEACHER.format("T")
TABLE = {
    "compute": f"pretrain shrink distill {ALL}",
    "sources.S": f"fetch@S prepare_corpus initialize pack pretrain shrink distill prepare_task@* {ALL}",
    "prepare_corpus": f"prepare_corpus initialize pack pretrain shrink distill {ALL}",
    "initialize": f"initialize pack pretrain shrink distill {ALL}",
    "pack": f"pack pretrain shrink distill {ALL}",
    "pretrain": f"pretrain shrink distill {ALL}",
    "shrink": f"shrink distill {STUDENT.format('*')}",
    "distill": f"distill {STUDENT.format('*')}",
    "export": MEASURED.format("*"),
    "benchmark": "benchmark@* report",
    "tasks.T.kind": f"prepare_task@T {ONE}",
    "tasks.T.data": f"prepare_task@T {ONE}",
    "tasks.T.metric": ONE,
    "tasks.T.encoding": ONE,
    "tasks.T.decoding": ONE,
    "tasks.T.teacher": ONE,
    "tasks.T.student": STUDENT.format("T"),
}

CAPTION = (
    "`T` is one task, `S` one source, `*` all of them; the row of `sources.S` is that of the default, whose one source "
    "feeds the corpus and all tasks. `check` runs at every change and nothing runs because of it. Fewer stages run "
    "where an output comes out the same as before: what only follows from it is then left alone."
)


def row_of(path: tuple[str, ...]) -> str:
    """The row of TABLE for the parameter at `path`."""
    if path[0] == "sources":
        return "sources.S"
    return f"tasks.T.{path[2]}" if path[0] == "tasks" else path[0]


def expected(row: str, *, name: str, tasks: Iterable[str]) -> set[str]:
    """The stages of a row as DVC names them; `name` is the task or the source that T or S stands for."""
    stages: set[str] = set()
    for stage in TABLE[row].split():
        base, _, instance = stage.partition("@")
        stages |= {f"{base}@{task}" for task in tasks} if instance == "*" else {f"{base}@{name}" if instance else base}
    return stages


def markdown() -> str:
    lines = ["| Changed in `params.yaml` | What runs again |", "|---|---|"]
    for row, stages in TABLE.items():
        lines.append(f"| `{row}` | {', '.join(f'`{stage}`' for stage in stages.split())} |")
    return "\n".join([*lines, "", CAPTION])


if __name__ == "__main__":
    print(markdown())
