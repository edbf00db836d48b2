"""Masked language modelling on packed blocks. B blocks, L positions, H hidden size, M predicted, V vocabulary."""

from typing import Any

import torch
from torch import nn
from torch.nn import functional as F
from transformers import BertForPreTraining, BertModel

Batch = dict[str, Any]


class MaskedWords(nn.Module):
    """Masked language modelling (Devlin et al. 2019, section 3.1), its output layer at masked positions only."""

    def __init__(self, model: BertForPreTraining) -> None:
        super().__init__()
        self.model = model
        freeze_unused_heads(model)

    def forward(self, batch: Batch) -> dict[str, torch.Tensor]:
        """The mean over the masked words, 0 where there are none."""
        logits_MV, targets = masked_logits(self.model, batch), batch["targets"]
        return {"loss": F.cross_entropy(logits_MV.float(), targets, reduction="mean" if len(targets) else "sum")}

    def counts(self, batch: Batch) -> dict[str, torch.Tensor]:
        """Of how many things each loss is the mean, scalars."""
        return {"loss": count_of(batch["targets"])}


def count_of(things: torch.Tensor) -> torch.Tensor:
    """How many there are along the first axis, a scalar on their device."""
    return torch.tensor(len(things), device=things.device)


def freeze_unused_heads(model: BertForPreTraining) -> None:
    """Without next-sentence prediction, the pooler and its head get no gradient."""
    for head in (model.bert.pooler, model.cls.seq_relationship):
        assert isinstance(head, nn.Module)
        head.requires_grad_(False)


def encode_blocks(bert: BertModel, batch: Batch) -> torch.Tensor:
    """Last hidden states [B, L, H] of packed blocks, documents kept apart."""
    outputs = bert(input_ids=batch["input_ids"], position_ids=batch["position_ids"], attention_mask=batch["visible"])
    return outputs.last_hidden_state


def predict_masked(model: BertForPreTraining, hidden_BLH: torch.Tensor, batch: Batch) -> torch.Tensor:
    """Logits over the vocabulary at the predicted positions alone, [M, V]."""
    return model.cls.predictions(hidden_BLH.flatten(0, 1)[batch["predicted"]])


def masked_logits(model: BertForPreTraining, batch: Batch) -> torch.Tensor:
    return predict_masked(model, encode_blocks(model.bert, batch), batch)
