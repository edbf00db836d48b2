"""Near duplicates of a corpus, by MinHash, in tasks that an engine spreads over processes or machines.

A task is a part of the source, and all of its files are named by its number. What a task writes depends on the source,
the settings and the number of parts alone, so that neither the number of workers nor a kill changes a byte. Broder
1997, "On the resemblance and containment of documents"; buckets as in Leskovec, Rajaraman, Ullman, "Mining of Massive
Datasets", section 3.4. datatrove computes signatures, buckets and clusters; of a cluster the first document stays.
"""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from datatrove.data import Document
from datatrove.pipeline.dedup import MinhashDedupBuckets, MinhashDedupCluster, MinhashDedupSignature
from datatrove.pipeline.dedup.minhash import MinhashConfig
from datatrove.utils.hashing import HashConfig
from datatrove.utils.word_tokenizers import WordTokenizer

from tinybert.atomic import atomic_file
from tinybert.data.cleaning import KEY_BYTES, fingerprint, is_heldout
from tinybert.data.corpus import ROW_BITS, Source
from tinybert.data.documents import SCHEMAS, Writer, batches

CLEANED = pa.schema([
    pa.field("text", pa.string(), nullable=False), pa.field("position", pa.int64(), nullable=False),
    pa.field("key", pa.binary(KEY_BYTES), nullable=False),
])  # fmt: skip
NONE = -1
_WORDS = re.compile(r"[\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af]|[^\s\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af]+")
Step = tuple[str, int, list[Any]]
"""Name, number of tasks, and what each of them calls."""


@dataclass(frozen=True)
class Settings:
    heldout: float
    n_grams: int
    num_buckets: int
    hashes_per_bucket: int
    seed: int


def steps(source: Source, settings: Settings, work: Path, *, parts: int) -> list[Step]:
    """One after the other they fill `work`: at last the folders of SCHEMAS, with a parquet file of each part."""
    config = MinhashConfig(
        n_grams=settings.n_grams, num_buckets=settings.num_buckets, hashes_per_bucket=settings.hashes_per_bucket,
        seed=settings.seed, hash_config=HashConfig(precision=64, hash_fc="sha1"),
    )  # fmt: skip
    signatures, pairs, clusters = (str(work / name) for name in ("signatures", "pairs", "clusters"))
    sign = MinhashDedupSignature(signatures, config, language=_Words())  # pyright: ignore[reportArgumentType]
    return [
        ("clean", parts, [partial(_clean, source, work)]),
        ("repeated", 1, [partial(_find_repeated, work, parts)]),
        ("sign", parts, [partial(_kept, work), sign]),
        ("compare", settings.num_buckets, [MinhashDedupBuckets(signatures, pairs, config=config)]),
        ("cluster", 1, [MinhashDedupCluster(pairs, clusters, config=config, save_cluster_id=True)]),
        ("near", 1, [partial(_find_near, work, parts)]),
        ("write", parts, [partial(_write, source, work, settings.heldout)]),
    ]


class _Words(WordTokenizer):
    """Words between white space, and the characters of scripts that are written without."""

    def word_tokenize(self, text: str) -> list[str]:
        return _WORDS.findall(text)

    def sent_tokenize(self, text: str) -> list[str]:
        raise NotImplementedError

    def span_tokenize(self, text: str) -> list[tuple[int, int]]:
        raise NotImplementedError


def _part(work: Path, name: str, rank: int, suffix: str = "parquet") -> Path:
    return work / name / f"{rank:05d}.{suffix}"


def _clean(source: Source, work: Path, data: Any, rank: int = 0, world_size: int = 1) -> None:
    with _writer(work, "cleaned", rank) as cleaned:
        for position, text in source.part(rank, world_size):
            cleaned.add(text, position, fingerprint(text))


def _find_repeated(work: Path, parts: int, data: Any, rank: int = 0, world_size: int = 1) -> None:
    """The position of the first document with the same key, for each of every part; NONE for short ones.

    In memory are some 100 bytes of each document.
    """
    found = [_keys(work, part) for part in range(parts)]
    positions, keys, long = (np.concatenate(arrays) for arrays in zip(*found, strict=True))
    order = np.lexsort((positions, keys["low"], keys["high"], long))
    keys, sorts = keys[order], long[order]
    new = np.ones(len(order), bool)
    new[1:] = (keys[1:] != keys[:-1]) | (sorts[1:] != sorts[:-1])
    starts = np.maximum.accumulate(np.where(new, np.arange(len(order)), 0))
    first = np.empty_like(positions)
    first[order] = positions[order][starts]
    first[~long] = NONE
    ends = np.cumsum([len(part[0]) for part in found])
    for part, array in enumerate(np.split(first, ends[:-1])):
        _save(_part(work, "first", part, "npy"), array)


def _keys(work: Path, part: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Positions [N], keys [N], and whether a document is long enough [N]."""
    positions, keys, long = [np.empty(0, np.int64)], [b""], [np.empty(0, bool)]
    for batch in batches(_part(work, "cleaned", part)):
        positions.append(batch.column("position").to_numpy())
        keys += batch.column("key").to_pylist()
        long.append(np.array([bool(text) for text in batch.column("text").to_pylist()]))
    packed = np.frombuffer(b"".join(keys), dtype=[("high", ">u8"), ("low", ">u4")])
    return np.concatenate(positions), packed, np.concatenate(long)


def _kept(work: Path, data: Any, rank: int = 0, world_size: int = 1) -> Iterator[Document]:
    """Documents of a part that are neither short nor repeated."""
    for text, position, first in _rows(work, rank):
        if first == position:
            yield Document(text=text, id=str(position))


def _rows(work: Path, rank: int) -> Iterator[tuple[str, int, int]]:
    """Text, position, and position of the first document with the same key."""
    first, start = np.load(_part(work, "first", rank, "npy")).tolist(), 0
    for batch in batches(_part(work, "cleaned", rank), columns=["text", "position"]):
        stop = start + len(batch)
        yield from zip(
            batch.column("text").to_pylist(), batch.column("position").to_pylist(), first[start:stop], strict=True
        )
        start = stop


def _find_near(work: Path, parts: int, data: Any, rank: int = 0, world_size: int = 1) -> None:
    """The position of the document that stays for each of every part, mostly its own; NONE for short ones."""
    members = [_members(work, part) for part in range(parts)]
    first: dict[int, int] = {}
    for position, cluster in chain.from_iterable(members):
        first[cluster] = min(position, first.get(cluster, position))
    stays = {position: first[cluster] for position, cluster in chain.from_iterable(members)}
    for part in range(parts):
        same = np.load(_part(work, "first", part, "npy"))
        _save(_part(work, "stays", part, "npy"), np.array([stays.get(p, p) for p in same.tolist()], np.int64))


def _members(work: Path, part: int) -> list[tuple[int, int]]:
    """Positions of the documents of a part that are in a cluster, and their clusters."""
    file = work / "clusters" / f"{part:06d}.clusters"
    pairs = np.fromfile(file, "<u4") if file.exists() else np.empty(0, "<u4")
    columns = [
        batch.column("position").to_numpy() for batch in batches(_part(work, "cleaned", part), columns=["position"])
    ]
    positions = np.concatenate([np.empty(0, np.int64), *columns])
    kept = positions[positions == np.load(_part(work, "first", part, "npy"))]
    return list(zip(kept[pairs[::2]].tolist(), pairs[1::2].tolist(), strict=True))


def _write(source: Source, work: Path, fraction: float, data: Any, rank: int = 0, world_size: int = 1) -> None:
    stays = np.load(_part(work, "stays", rank, "npy")).tolist()
    files = source.files(world_size)
    with (
        _writer(work, "train", rank) as train,
        _writer(work, "heldout", rank) as heldout,
        _writer(work, "removed", rank) as removed,
    ):
        for (text, position, first), kept in zip(_rows(work, rank), stays, strict=True):
            if kept == position:
                (heldout if is_heldout(text, fraction=fraction) else train).add(text)
            else:
                reason = "short" if kept == NONE else "repeated" if first != position else "near duplicate"
                removed.add(reason, *_place(position, files), *_place(kept, files))


@contextmanager
def _writer(work: Path, name: str, rank: int) -> Iterator[Writer]:
    with atomic_file(_part(work, name, rank)) as file, Writer(file, SCHEMAS.get(name, CLEANED)) as writer:
        yield writer


def _place(position: int, files: list[Path]) -> tuple[str | None, int | None]:
    """File, if parts are of files, and row."""
    if position == NONE:
        return None, None
    return str(files[position >> ROW_BITS]) if files else None, position & (1 << ROW_BITS) - 1


def _save(file: Path, array: np.ndarray) -> None:
    with atomic_file(file) as partial_file, open(partial_file, "wb") as out:
        np.save(out, array)
