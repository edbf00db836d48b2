"""Wait until all students are shrunk, so that `distill` can train those together whose distillation is due.

In: models/shrunk. Out: models/gathered, of the same bytes whatever the students are: it orders stages, and another
student runs none of the others again.
"""

from stages.parameters.section import Section
from stages.pipeline.stage import Run, run
from tinybert.atomic import atomic_file


class Parameters(Section):
    pass


def main(p: Parameters, run: Run) -> None:
    with atomic_file("models/gathered") as file:
        file.write_text("All students are shrunk.\n", encoding="utf-8", newline="\n")


if __name__ == "__main__":
    run(main, Parameters)
