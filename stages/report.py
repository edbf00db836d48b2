"""The HTML report, and the numbers and curves that git keeps for comparing commits.

In: reports/{pretrain,distill,tasks}, all of params.yaml.
Out: reports/{report.html,metrics,speed,curves,confusion,sizes.tsv,machines.json}.
"""

from pathlib import Path

from stages.parameters.whole import Whole
from stages.pipeline.stage import Run, run
from tinybert.atomic import atomic_folder
from tinybert.files import read_object, read_table, write_json, write_table, write_text
from tinybert.reporting import results
from tinybert.reporting.page import FOLDED, curve_charts, leaves, many_classes, render, score_charts, students_content
from tinybert.training.progress import log

REPORTS = Path("reports")


class Parameters(Whole):
    """The page shows every parameter, so that this stage reads all of them."""


def main(p: Parameters, run: Run) -> None:
    # DVC ignores the order of entries in params.yaml, so that the outputs must not depend on it.
    p = p.model_copy(update={name: dict(sorted(getattr(p, name).items())) for name in ("sources", "students", "tasks")})
    distilled = {student: read_object(REPORTS / "distill" / student / "metrics.json") for student in p.students}
    merged = {task: read_results(task, p) for task in p.tasks}
    headlines = {task: results.headline(merged[task]) for task in p.tasks}
    general, curves = read_general_curves(p), {task: read_task_curves(task, p) for task in p.tasks}
    machines = results.group_machines(read_machines(p))
    with atomic_folder(REPORTS / "metrics") as folder:
        results.write_models(folder, headlines | {results.HELDOUT_MLM: results.heldout_mlm(distilled)})
    with atomic_folder(REPORTS / "speed") as folder:
        results.write_models(folder, {task: results.speed(merged[task].latency) for task in p.tasks})
    with atomic_folder(REPORTS / "curves") as folder:
        results.write_curves(folder, [*general, *(curve for of_task in curves.values() for curve in of_task)])
    with atomic_folder(REPORTS / "confusion") as folder:
        results.write_confusion(folder, merged)
    write_table(REPORTS / "sizes.tsv", results.SIZE_COLUMNS, results.size_rows(headlines))
    write_json(REPORTS / "machines.json", machines)
    tasks = {
        task: {
            "results": merged[task],
            "models": headlines[task],
            "curves": curve_charts(curves[task]),
            "many_classes": many_classes(merged[task]),
        }
        for task in p.tasks
    }
    text = render(
        students=students_content(distilled), score_charts=score_charts(headlines, merged), tasks=tasks,
        models=list(dict.fromkeys(model for rows in headlines.values() for model in rows)), folded=len(tasks) > FOLDED,
        longest=max(p.measure.lengths), curves=curve_charts(general), machines=machines,
        parameters=dict(sorted(leaves(p.model_dump()).items())),
    )  # fmt: skip
    write_text(REPORTS / "report.html", text)
    log("the report is reports/report.html; `dvc metrics show` prints reports/metrics")


def of_student(task: str, student: str) -> Path:
    return REPORTS / "tasks" / task / "students" / student


def read_results(task: str, p: Parameters) -> results.Results:
    """What evaluate and measure wrote for each student of one task, and floor for the task."""
    files = {
        student: {n: read_object(of_student(task, student) / f"{n}.json") for n in ("metrics", "findings", "measure")}
        for student in p.students
    }
    floor = read_object(REPORTS / "tasks" / task / "floor.json")
    return results.merge_students(files, floor, metric=p.tasks[task].metric)


def read_general_curves(p: Parameters) -> list[results.Curve]:
    distill = {student: read_table(REPORTS / "distill" / student / "curve.tsv") for student in p.students}
    return results.general_curves(read_table(REPORTS / "pretrain/curve.tsv"), distill)


def read_task_curves(task: str, p: Parameters) -> list[results.Curve]:
    teacher = read_table(REPORTS / "tasks" / task / "teacher/curve.tsv")
    files = ("intermediate_curve.tsv", "curve.tsv")
    students = {student: [read_table(of_student(task, student) / file) for file in files] for student in p.students}
    return results.task_curves(task, teacher, students)


def read_machines(p: Parameters) -> dict[str, results.Tree]:
    """By stage, as DVC calls it."""
    both = {f"{task}-{student}": of_student(task, student) for task in p.tasks for student in p.students}
    files = {"pretrain": REPORTS / "pretrain/machine.json"}
    files |= {f"distill@{student}": REPORTS / "distill" / student / "machine.json" for student in p.students}
    files |= {f"finetune_teacher@{task}": REPORTS / "tasks" / task / "teacher/machine.json" for task in p.tasks}
    files |= {f"teach@{task}": REPORTS / "tasks" / task / "teaching/machine.json" for task in p.tasks}
    files |= {f"finetune_student@{key}": folder / "machine.json" for key, folder in both.items()}
    files |= {f"evaluate@{key}": folder / "evaluate_machine.json" for key, folder in both.items()}
    return {stage: read_object(file) for stage, file in files.items()}


if __name__ == "__main__":
    run(main, Parameters)
