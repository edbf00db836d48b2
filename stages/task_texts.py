"""Training texts of the tasks named, packed as the corpus is, for students to be distilled on.

In: data/tasks, models/tokenizer. Out: data/task_texts, with train.npy, [blocks, sequence_length], and task_texts.json.
A task that is not named changes no byte of it, so that nothing else runs again for a new task. For the same reason
only texts that the named tasks are scored on are left out.
"""

from pathlib import Path

from stages.parameters.section import Section
from stages.parameters.sections import Pack, TaskTexts
from stages.pipeline.stage import Run, run
from tinybert.atomic import atomic_folder
from tinybert.data.packing import block_dtype, pack_stream, write_blocks
from tinybert.data.tokenizer import load_tokenizer
from tinybert.errors import InputError
from tinybert.files import write_json
from tinybert.tasks.tables import read_texts
from tinybert.training.progress import log


class Parameters(Section):
    pack: Pack
    task_texts: TaskTexts


def main(p: Parameters, run: Run) -> None:
    tokenizer, length = load_tokenizer(Path("models/tokenizer")), p.pack.sequence_length
    texts, scored = (_texts(p.task_texts.tasks, *splits) for splits in (["train"], ["validation", "test"]))
    kept = [text for text in texts if text not in scored]
    with atomic_folder("data/task_texts") as folder:
        blocks = pack_stream(kept, tokenizer=tokenizer, sequence_length=length)
        count = write_blocks(folder / "train.npy", blocks, sequence_length=length, dtype=block_dtype(tokenizer))
        if p.task_texts.tasks and not count:
            raise InputError(f"params.yaml: task_texts.tasks have too little text for one block of {length} tokens")
        counts = {"texts": len(kept), "equal_to_validation_or_test": len(texts) - len(kept), "blocks": count}
        write_json(folder / "task_texts.json", counts)
    log(f"data/task_texts: {counts['texts']} texts, {count} blocks, {count * length / 1e6:.2f}M tokens")


def _texts(tasks: list[str], *splits: str) -> dict[str, None]:
    """Different texts, in the order of the tasks and rows."""
    folders = [Path("data/tasks") / task for task in tasks]
    return dict.fromkeys(text for folder in folders for split in splits for text in read_texts(folder, split))


if __name__ == "__main__":
    run(main, Parameters)
