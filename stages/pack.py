"""Token ids in blocks of one length, without padding, documents kept apart.

In: data/corpus, models/tokenizer. Out: data/packed/{train,heldout}.npy, [blocks, sequence_length].
"""

from pathlib import Path

from stages.parameters.section import Section
from stages.parameters.sections import Pack
from stages.pipeline.stage import Run, run
from tinybert.atomic import atomic_folder
from tinybert.data.documents import read_documents
from tinybert.data.packing import block_dtype, pack_stream, token_share, write_blocks
from tinybert.data.tokenizer import load_tokenizer, special_id
from tinybert.errors import InputError
from tinybert.training.progress import log


class Parameters(Section):
    pack: Pack


def main(p: Parameters, run: Run) -> None:
    tokenizer, length = load_tokenizer(Path("models/tokenizer")), p.pack.sequence_length
    with atomic_folder("data/packed") as folder:
        for split in ("train", "heldout"):
            texts = read_documents(Path("data/corpus") / split)
            blocks = pack_stream(texts, tokenizer=tokenizer, sequence_length=length)
            count = write_blocks(folder / f"{split}.npy", blocks, sequence_length=length, dtype=block_dtype(tokenizer))
            if not count:
                raise InputError(f"data/corpus/{split} has too little text for one block of {length} tokens")
            unknown = token_share(folder / f"{split}.npy", special_id(tokenizer, "unk"))
            log(f"data/packed/{split}.npy: {count} blocks, {count * length / 1e6:.2f}M tokens, "
                f"{unknown:.2%} of them [UNK]")  # fmt: skip


if __name__ == "__main__":
    run(main, Parameters)
