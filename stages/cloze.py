"""Questions made from the corpus for the students of a question-answering task; none for another task.

In: data/corpus, data/tasks/T. Out: data/cloze/T.parquet, empty where
`teaching.cloze_questions` is 0.
A stage of its own, so that another corpus has a teacher label nothing again where it makes no questions.
"""

from pathlib import Path

from stages.parameters.section import Section
from stages.parameters.tasks import Teaching
from stages.pipeline.stage import Run, run
from tinybert.atomic import atomic_file
from tinybert.data.documents import read_documents
from tinybert.errors import InputError
from tinybert.tasks.cloze import SCHEMA, Cloze, cloze_questions
from tinybert.tasks.tables import read_rows, write_rows
from tinybert.training.progress import log

CORPUS = Path("data/corpus/train")


class Task(Section):
    teaching: Teaching


class Parameters(Section):
    task: Task


def main(p: Parameters, run: Run) -> None:
    teaching = p.task.teaching
    made = _questions(teaching, run.key) if teaching.cloze_questions else Cloze([], 0, 0)
    with atomic_file(f"data/cloze/{run.key}.parquet") as file:
        write_rows(file, made.rows, SCHEMA)
    log(
        f"data/cloze/{run.key}: {len(made.rows)} questions on {made.passages} passages; left out: {made.held_out} "
        "passages with a sentence of validation or test"
    )


def _questions(teaching: Teaching, task: str) -> Cloze:
    train, validation, test = (read_rows(Path("data/tasks") / task, split) for split in ("train", "validation", "test"))
    count = teaching.cloze_questions
    try:
        return cloze_questions(
            read_documents(CORPUS), like=train, held_out=[*validation, *test], count=count, seed=teaching.seed
        )
    except InputError as error:
        raise InputError(f"params.yaml: tasks.{task}.teaching.cloze_questions is {count}: {CORPUS}: {error}") from None


if __name__ == "__main__":
    run(main, Parameters)
