import numpy as np
import torch

from tinybert.tasks.regression import model as regression


def test_losses_are_mean_squared_errors_to_the_gold_and_to_the_teachers_scores():
    batch = {"labels": torch.tensor([1.0, -2.0]), "teacher_logits": torch.tensor([[3.0], [0.5]])}
    scores = torch.tensor([[2.0], [0.0]])
    assert regression.hard_loss(scores, batch).item() == (1.0 + 4.0) / 2
    assert regression.soft_loss(scores, batch, temperature=7.0).item() == (1.0 + 0.25) / 2


def test_collate_gives_scores_as_float32():
    features = [{"input_ids": [2, 3], "token_type_ids": [0, 0], "label": 1.25, "teacher_logits": [0.5]}]
    batch = regression.collate(features, pad_token_id=0)
    assert (batch["labels"].dtype, batch["labels"].tolist()) == (torch.float32, [1.25])
    assert batch["teacher_logits"].tolist() == [[0.5]]


def test_decode_gives_scores_in_the_rows_order_whatever_the_features_order():
    logits = [np.array([1.5], dtype=np.float32), np.array([-0.25], dtype=np.float32)]
    scores = regression.decode(logits, features=[{"row": 1}, {"row": 0}], rows=[{}, {}], labels=[])
    assert scores == [-0.25, 1.5]
