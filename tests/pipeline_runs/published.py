"""Small data sets of each kind of task in the forms that data is published in."""

import json
import zipfile
from pathlib import Path
from typing import Any

from datasets import Dataset

COUNT = 40
SHARES = {"validation": 0.3, "test": 0.3}
WORDS = ("good", "bad")
TEXTS = [(f"a {WORDS[n % 2]} film, the {n}th", WORDS[n % 2]) for n in range(COUNT)]
CONLL = "-DOCSTART- -X- O O\n\n" + "".join(f"Ann{n} NNP I-NP I-PER\nran VBD O O\n\n" for n in range(COUNT))


def write(folder: Path) -> dict[str, Any]:
    """A folder or a file for each form, and a corpus; the entries of `tasks` that read them."""
    _text(folder / "conll/eng.train", CONLL)
    _text(folder / "conll/eng.testb", CONLL)
    _text(folder / "squad/train-v2.0.json", json.dumps(_squad(), indent=1))
    _text(folder / "glue/train.tsv", "sentence\tlabel\n" + "".join(f'"{text}\t{label}\n' for text, label in TEXTS))
    _text(folder / "headless.csv", "".join(f'{label},7,"{text}"\n' for text, label in TEXTS))
    _text(folder / "fasttext.txt", "".join(f"__label__{label} {text}\n" for text, label in TEXTS))
    _text(folder / "several.txt", "".join(f"__label__{label} __label__long {text}\n" for text, label in TEXTS))
    questions = "".join(f"{label.upper()}:manner Is caf\u00e9 {text}\n" for text, label in TEXTS)
    (folder / "trec").mkdir()
    questions = questions.replace("BAD", "DESC").replace("GOOD", "HUM")
    (folder / "trec/train_5500.label").write_bytes(questions.encode("latin-1"))
    for n, (text, label) in enumerate(TEXTS):
        _text(folder / f"imdb/train/{label}/{n}.txt", text)
    saved = [{"text": text, "score": n / 10} for n, (text, _) in enumerate(TEXTS)]
    Dataset.from_list(saved).save_to_disk(folder / "saved")
    with zipfile.ZipFile(folder / "packed.zip", "w") as archive:
        archive.writestr("set/train.csv", "text,label\n" + "".join(f'"{text}",{label}\n' for text, label in TEXTS))
    articles = (f'<doc id="{n}" title="T{n}">\nT{n}\n\nAn article about {n} things.\n</doc>\n' for n in range(200))
    _text(folder / "wikipedia/AA/wiki_00", "".join(articles))
    return {
        "conll": _task("ner", "conll", splits={"train": "eng.train", "validation": 0.3, "test": "eng.testb"}),
        "squad": _task("qa", "squad", encoding={"max_length": 64, "doc_stride": 16}, decoding={"unanswerable": True}),
        "glue": _task("classification", "glue", columns={"text": "sentence"}),
        "headless": _task("classification", "headless.csv", columns={"text": 2, "label": 0}),
        "fasttext": _task("classification", "fasttext.txt", columns={"text": "text"}),
        "several": _task("multilabel", "several.txt", columns={"text": "text"}),
        "trec": _task("classification", "trec", columns={"text": "text"}, encoding_of_text="latin-1",
                      splits={"train": "train_5500.label", **SHARES}),
        "imdb": _task("classification", "imdb", columns={"text": "text"}),
        "saved": _task("regression", "saved", columns={"text": "text", "label": "score"}),
        "packed": _task("classification", "packed.zip", columns={"text": "text"}),
    }  # fmt: skip


METRICS = {"classification": "accuracy", "multilabel": "f1_micro", "ner": "f1", "qa": "f1", "regression": "pearson"}


def _task(
    kind: str, source: str, *, splits: Any = None, columns: Any = None, encoding_of_text: str | None = None, **more: Any
) -> dict[str, Any]:
    data = {"source": f"data/raw/{source}", "splits": splits or SHARES, "columns": columns or {}}
    data |= {"encoding": encoding_of_text} if encoding_of_text else {}
    return {"kind": kind, "metric": METRICS[kind], "data": data, **more}


def _squad() -> dict[str, Any]:
    def questions(n: int) -> list[dict[str, Any]]:
        found = {"id": f"a{n}", "question": "who ran?", "answers": [{"text": f"Ann{n}", "answer_start": 0}]}
        return [found, {"id": f"b{n}", "question": "who sat?", "answers": [], "is_impossible": True}]

    paragraphs = [{"context": f"Ann{n} ran.", "qas": questions(n)} for n in range(COUNT)]
    return {"version": "v2.0", "data": [{"title": "Ann", "paragraphs": paragraphs}]}


def _text(file: Path, content: str) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(content, encoding="utf-8")
