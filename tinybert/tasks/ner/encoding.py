"""Named entities, one tag per word: what a model reads, and what its logits say. L length, C tags.

A word's tag is learnt and predicted at its first word piece; a long sentence is cut between words.
"""

from typing import Any

import numpy as np
from tokenizers import Tokenizer

from tinybert.errors import InputError, shorten
from tinybert.tasks.encoding import NO_LABEL, cls_and_sep, copy_backend, softmax

NO_TAG = -100
"""The label of a token that no tag is predicted at; that of a word without a gold tag is NO_LABEL."""
NO_WORD = -1
GO_ON = ("I", "E", "L")
"""Beginnings of tags that may go on with an entity: of BIO, IOBES and BILOU."""
Word = tuple[int, list[int]]
"""The index of a word, and the ids of its pieces."""


def to_row(request: Any, *, tokenizer: Tokenizer) -> dict:
    """A row without tags: of a text, in the words that BERT's pre-tokenizer makes, or of an object with `words`.

    It also has `text`, for words these joined by spaces, and the place [first, end] of each word in it, in characters.
    `tokenizer` has neither truncation nor padding. Raises InputError for anything else.
    """
    words = request.get("words") if isinstance(request, dict) else None
    if isinstance(words, list) and all(isinstance(word, str) for word in words):
        ends = np.cumsum([len(word) + 1 for word in words]).tolist()
        places = [(end - 1 - len(word), end - 1) for word, end in zip(words, ends, strict=True)]
        return {"words": words, "tags": None, "text": " ".join(words), "places": places}
    text = request.get("text") if isinstance(request, dict) else request
    if not isinstance(text, str):
        raise InputError(f"expected a text, or an object with text, or with words as a list, got {shorten(request)}")
    places = _word_places(text, tokenizer)
    return {"words": [text[first:end] for first, end in places], "tags": None, "text": text, "places": places}


def _word_places(text: str, tokenizer: Tokenizer) -> list[tuple[int, int]]:
    encoding = tokenizer.encode(text, add_special_tokens=False)
    places: dict[int | None, tuple[int, int]] = {}
    for word, (first, end) in zip(encoding.word_ids, encoding.offsets, strict=True):
        begin, stop = places.get(word, (first, end))
        places[word] = (min(begin, first), max(stop, end))
    return [*places.values()]


def encode(rows: list[dict], *, tokenizer: Tokenizer, max_length: int, labels: list[str]) -> list[dict]:
    """One feature per window of at most max_length tokens: row, input_ids, token_type_ids, and two lists beside them.

    word: the index of the word whose first piece stands there, elsewhere -1; label: its tag's index in `labels`, or
    NO_LABEL, elsewhere NO_TAG. Every feature has a word: a row whose words all tokenize to nothing has no feature.
    """
    indices = {label: index for index, label in enumerate(labels)}
    backend, room = copy_backend(tokenizer), max_length - 2
    cls, sep = cls_and_sep(backend)
    words = [row["words"] for row in rows]
    encodings = backend.encode_batch(words, is_pretokenized=True, add_special_tokens=False)
    features = []
    for index, (row, encoding) in enumerate(zip(rows, encodings, strict=True)):
        for window in _windows(_pieces_by_word(encoding), room=room):
            ids = [cls, *(piece for _, pieces in window for piece in pieces), sep]
            word = [NO_WORD, *_word_of_piece(window), NO_WORD]
            tags = [NO_LABEL] * len(row["words"]) if row["tags"] is None else [indices[tag] for tag in row["tags"]]
            label = [NO_TAG if number == NO_WORD else tags[number] for number in word]
            features.append(
                {"row": index, "input_ids": ids, "token_type_ids": [0] * len(ids), "word": word, "label": label}
            )
    return features


def decode(logits: list[np.ndarray], *, features: list[dict], rows: list[dict], labels: list[str]) -> list[list[str]]:
    """The most probable tag of every word, O for one without pieces (a zero-width character); logits: [L, C] each."""
    tags = [["O"] * len(row["words"]) for row in rows]
    for scores_LC, feature in zip(logits, features, strict=True):
        for word, best in zip(feature["word"], scores_LC.argmax(axis=-1).tolist(), strict=True):
            if word != NO_WORD:
                tags[feature["row"]][word] = labels[best]
    return tags


def class_logits(logits: list[np.ndarray], *, features: list[dict]) -> tuple[np.ndarray, np.ndarray]:
    """Logits [N, C] and gold tags [N] of all labelled tokens; most of them have the tag O in most data."""
    label_N = np.concatenate([feature["label"] for feature in features])
    labelled_N = label_N != NO_TAG
    return np.concatenate(logits)[labelled_N], label_N[labelled_N]


def results(logits: list[np.ndarray], *, features: list[dict], rows: list[dict], labels: list[str]) -> list[dict]:
    """Of each row of `to_row` its `entities`, and the `tags` of its words.

    An entity has text, type, start and end in characters, and score, the mean probability of its words' tags. I- after
    another type, or after O, begins one (as conlleval reads tags).
    """
    tags = decode(logits, features=features, rows=rows, labels=labels)
    scores = [[1.0] * len(row["words"]) for row in rows]
    for scores_LC, feature in zip(logits, features, strict=True):
        for word, best in zip(feature["word"], softmax(scores_LC).max(axis=-1).tolist(), strict=True):
            if word != NO_WORD:
                scores[feature["row"]][word] = best
    return [
        {"entities": _entities(row, tags_of, scores_of), "tags": tags_of}
        for row, tags_of, scores_of in zip(rows, tags, scores, strict=True)
    ]


def _entities(row: dict, tags: list[str], scores: list[float]) -> list[dict]:
    spans: list[tuple[str, list[int]]] = []
    for word, tag in enumerate(tags):
        prefix, _, type_ = tag.partition("-") if "-" in tag else ("I", "", tag)
        goes_on = prefix in GO_ON and spans and spans[-1][0] == type_ and spans[-1][1][-1] == word - 1
        if goes_on:
            spans[-1][1].append(word)
        elif tag != "O":
            spans.append((type_, [word]))
    entities = []
    for type_, words in spans:
        start, end = row["places"][words[0]][0], row["places"][words[-1]][1]
        score = sum(scores[word] for word in words) / len(words)
        entities.append({"text": row["text"][start:end], "type": type_, "start": start, "end": end, "score": score})
    return entities


def _pieces_by_word(encoding: Any) -> list[Word]:
    """The words that have pieces, in order."""
    words: dict[int, list[int]] = {}
    for piece, word in zip(encoding.ids, encoding.word_ids, strict=True):
        words.setdefault(word, []).append(piece)
    return list(words.items())


def _windows(words: list[Word], *, room: int) -> list[list[Word]]:
    """Words cut into windows of at most `room` pieces; of a longer word the first pieces stay."""
    windows: list[list[Word]] = []
    free = 0
    for word, pieces in words:
        kept = pieces[:room]
        if len(kept) > free:
            windows.append([])
            free = room
        windows[-1].append((word, kept))
        free -= len(kept)
    return windows


def _word_of_piece(window: list[Word]) -> list[int]:
    """For each piece its word's index, or NO_WORD where it is not the word's first piece."""
    return [index for word, pieces in window for index in [word] + [NO_WORD] * (len(pieces) - 1)]
