"""Cut a student's shape and weights out of the teacher, without training.

In: models/teacher. Out: models/shrunk/S, with cut.json: which layers and channels stay.
"""

from dataclasses import asdict
from pathlib import Path

from stages.parameters.section import Section
from stages.parameters.sections import Shape
from stages.pipeline.stage import Run, run
from tinybert.atomic import atomic_folder
from tinybert.data.tokenizer import load_tokenizer, save_tokenizer
from tinybert.files import write_json
from tinybert.model.checkpoint import load_checkpoint, save
from tinybert.model.size import count_parameters
from tinybert.pruning.cut import prune
from tinybert.training.progress import log

TEACHER = Path("models/teacher")


class Parameters(Section):
    student: Shape


def main(p: Parameters, run: Run) -> None:
    teacher = load_checkpoint(TEACHER)
    student, cut = prune(teacher, **p.student.model_dump())
    with atomic_folder(f"models/shrunk/{run.key}") as folder:
        save(student, folder)
        save_tokenizer(load_tokenizer(TEACHER), folder=folder)
        write_json(folder / "cut.json", asdict(cut))
    small, large = (count_parameters(model)["parameters"] / 1e6 for model in (student, teacher))
    log(f"models/shrunk/{run.key}: {small:.2f}M of the teacher's {large:.2f}M parameters, its layers {cut.layers}")


if __name__ == "__main__":
    run(main, Parameters)
