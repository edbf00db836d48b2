"""Cut the student's shape and weights out of the teacher, without training.

In: models/teacher. Out: models/shrunk, with cut.json: which layers and channels stay.
"""

from pathlib import Path

from stages.model.checkpoint import load_checkpoint, save
from stages.model.layers import choose_layers
from stages.model.size import count_parameters
from stages.model.width import as_json, cut_out, first_channels
from stages.parameters.keep import Shrink
from stages.parameters.section import Section
from stages.pipeline.outputs import whole_folder
from stages.pipeline.progress import say
from stages.pipeline.stage import Run, run
from stages.reporting.tables import write_json
from stages.text.tokenizer import load_tokenizer, save_tokenizer


class Parameters(Section):
    shrink: Shrink


def main(p: Parameters, run: Run) -> None:
    options, source = p.shrink, Path("models/teacher")
    teacher = load_checkpoint(source)
    layers = choose_layers(
        options.keep_layers, student=options.num_hidden_layers, teacher=teacher.config.num_hidden_layers
    )
    cut = first_channels(
        teacher.config,
        layers=layers,
        hidden_size=options.hidden_size,
        num_attention_heads=options.num_attention_heads,
        intermediate_size=options.intermediate_size,
    )
    student = cut_out(teacher, cut)
    with whole_folder("models/shrunk") as folder:
        save(student, folder)
        save_tokenizer(load_tokenizer(source), folder=folder)
        write_json(folder / "cut.json", as_json(cut))
    sizes = [count_parameters(model)["parameters"] / 1e6 for model in (student, teacher)]
    say(f"models/shrunk: {sizes[0]:.2f}M parameters of the teacher's {sizes[1]:.2f}M, its layers {layers}")


if __name__ == "__main__":
    run(main, Parameters)
