"""The checks of the stage export: float32 and int8 ONNX models against PyTorch."""

import numpy as np
import pytest

from stages.export import _max_logit_diff, _of_all_lengths, _require_close, _require_kept
from tinybert.errors import InputError


def test_a_score_that_falls_by_more_than_the_limit_or_is_not_a_number_is_refused() -> None:
    _require_kept({"torch": 0.9, "int8": 0.8950}, metric="accuracy", at_most=0.01)
    _require_kept({"torch": 0.9, "int8": 0.95}, metric="accuracy", at_most=0.0)
    with pytest.raises(InputError) as caught:
        _require_kept({"torch": 0.9, "int8": 0.88}, metric="accuracy", at_most=0.01)
    assert str(caught.value) == (
        "params.yaml: export.max_metric_drop: expected accuracy of the int8 ONNX model on validation at most 0.01 "
        "below PyTorch's, got 0.8800 and 0.9000"
    )
    with pytest.raises(InputError):
        _require_kept({"torch": 0.9, "int8": float("nan")}, metric="pearson", at_most=0.01)


def test_a_difference_is_the_largest_over_inputs_of_any_shape() -> None:
    expected = [np.zeros(3), np.zeros((2, 3))]
    actual = [np.array([0.0, 0.1, 0.0]), np.array([[0.0, 0.0, 0.0], [0.0, -0.25, 0.2]])]
    assert _max_logit_diff(expected, actual) == 0.25
    _require_close(0.25, at_most=0.25)
    for difference in (0.26, float("nan")):
        with pytest.raises(InputError):
            _require_close(difference, at_most=0.25)


def test_inputs_from_the_shortest_to_the_longest_are_compared() -> None:
    features = [{"input_ids": [1] * n} for n in (7, 3, 50, 12)]
    assert [len(feature["input_ids"]) for feature in _of_all_lengths(features)] == [3, 7, 12, 50]
    many = [{"input_ids": [1] * (1 + n % 37)} for n in range(1000)]
    chosen = [len(feature["input_ids"]) for feature in _of_all_lengths(many)]
    assert len(chosen) == 100 and chosen[0] == 1 and chosen[-1] == 37 and chosen == sorted(chosen)
