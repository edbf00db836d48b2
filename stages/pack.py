"""Token ids in blocks of one length, without padding, documents kept apart.

In: data/corpus, models/tokenizer. Out: data/packed/{train,heldout}.npy, [blocks, sequence_length].
"""

from collections.abc import Iterator
from pathlib import Path

import numpy as np

from stages.parameters.corpus import Pack
from stages.parameters.section import Section
from stages.pipeline.errors import InputError
from stages.pipeline.outputs import whole_folder
from stages.pipeline.progress import say
from stages.pipeline.stage import Run, run
from stages.text.blocks_file import write_blocks
from stages.text.documents import read_documents
from stages.text.packing import pack
from stages.text.tokenizer import load_tokenizer, special_id


class Parameters(Section):
    pack: Pack


def main(p: Parameters, run: Run) -> None:
    tokenizer, length = load_tokenizer(Path("models/tokenizer")), p.pack.sequence_length
    dtype = np.dtype(np.uint16 if len(tokenizer) < 2**16 else np.uint32)
    with whole_folder("data/packed") as folder:
        for split in ("train", "heldout"):
            documents = _token_ids(Path("data/corpus") / f"{split}.parquet", tokenizer)
            blocks = pack(documents, sequence_length=length, cls_id=special_id(tokenizer, "cls"),
                          sep_id=special_id(tokenizer, "sep"), dtype=dtype)  # fmt: skip
            count = write_blocks(folder / f"{split}.npy", blocks, sequence_length=length, dtype=dtype)
            if not count:
                raise InputError(f"data/corpus/{split}.parquet has too little text for one block of {length} tokens")
            say(f"data/packed/{split}.npy: {count} blocks, {count * length / 1e6:.2f}M tokens")


def _token_ids(file: Path, tokenizer) -> Iterator[list[int]]:
    for texts in read_documents(file):
        for encoding in tokenizer.backend_tokenizer.encode_batch_fast(texts, add_special_tokens=False):
            yield encoding.ids


if __name__ == "__main__":
    run(main, Parameters)
