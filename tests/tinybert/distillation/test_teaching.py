"""A teacher's logits survive the file, whose bytes are a function of them."""

from pathlib import Path

import numpy as np
import pytest

from tinybert.distillation.teaching import attach_logits, read_logits, write_logits

LENGTHS = [5, 2, 7]


def logits(*, per_token: bool) -> list[np.ndarray]:
    """Of three features and three classes; not contiguous, as a prediction without its padding may be."""
    random = np.random.default_rng(3)
    shapes = [(length, 3) if per_token else (3,) for length in LENGTHS]
    return [random.normal(size=(*shape, 2)).astype(np.float32)[..., 1] for shape in shapes]


@pytest.mark.parametrize("per_token", [False, True])
def test_logits_survive_the_file(tmp_path: Path, per_token: bool):
    written = logits(per_token=per_token)
    for name in ("a", "b"):
        write_logits(tmp_path / name, written)
    read = read_logits(tmp_path / "a")
    assert len(read) == len(written)
    for a, b in zip(read, written, strict=True):
        assert a.dtype == np.float32
        np.testing.assert_array_equal(a, b)
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


def test_one_feature_keeps_its_axis(tmp_path: Path):
    write_logits(tmp_path / "a", logits(per_token=True)[:1])
    (only,) = read_logits(tmp_path / "a")
    assert only.shape == (LENGTHS[0], 3)


@pytest.mark.parametrize("per_token", [False, True])
def test_each_feature_gets_its_own(per_token: bool):
    features = [{"input_ids": [1] * length} for length in LENGTHS]
    given = logits(per_token=per_token)
    attach_logits(features, given)
    assert all(feature["teacher_logits"] is own for feature, own in zip(features, given, strict=True))


def test_logits_of_other_features_are_refused():
    with pytest.raises(AssertionError, match="tokenize alike"):
        attach_logits([{"input_ids": [1, 2]}], logits(per_token=True)[:1])
    with pytest.raises(ValueError, match="longer"):
        attach_logits([{"input_ids": [1, 2]}], logits(per_token=False))
