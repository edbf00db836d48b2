"""Masked language modelling on packed blocks: objective, pretraining, held-out evaluation.

B blocks, L positions, H hidden size, M masked tokens, V vocabulary.
"""

from pathlib import Path

import numpy as np
import torch
from accelerate import Accelerator
from torch import nn
from torch.nn import functional as F
from transformers import BertForPreTraining, BertModel, BertTokenizer

from tinybert.model.checkpoint import set_dropout, set_mlm_head_trained
from tinybert.model.inputs import Batch
from tinybert.pretraining.masking import growing_length, mask_blocks, masked_batch, masking_for
from tinybert.training.data_parallel import shard_of
from tinybert.training.devices import set_up
from tinybert.training.loop import TrainState, train
from tinybert.training.progress import Progress

HELDOUT_BLOCKS = 512
"""Blocks that are evaluated at most: enough to tell half a percent."""
HELDOUT_BATCH = 32
"""Blocks that are masked together; fixed, so that the masks depend on nothing else."""
HELDOUT_SEED, HELDOUT_PROBABILITY = 0, 0.15
"""Of the masks; the same for every model, however it was trained."""


class MaskedLanguageModeling(nn.Module):
    """Masked language modelling (Devlin et al. 2019, section 3.1), with the output layer at masked positions only."""

    def __init__(self, model: BertForPreTraining) -> None:
        super().__init__()
        self.model = model
        freeze_unused_heads(model)

    def forward(self, batch: Batch) -> dict[str, torch.Tensor]:
        """The mean cross-entropy over the masked tokens, 0 where there are none."""
        logits_MV, targets = masked_logits(self.model, batch), batch["targets"]
        return {"loss": F.cross_entropy(logits_MV.float(), targets, reduction="mean" if len(targets) else "sum")}

    def counts(self, batch: Batch) -> dict[str, torch.Tensor]:
        """The number of elements that each loss is the mean of, scalars."""
        return {"loss": count_of(batch["targets"])}


def count_of(rows: torch.Tensor) -> torch.Tensor:
    """The length of the first axis, a scalar on the same device."""
    return torch.tensor(len(rows), device=rows.device)


def freeze_unused_heads(model: BertForPreTraining) -> None:
    """Freeze the pooler and its head, which get no gradient without next-sentence prediction."""
    for head in (model.bert.pooler, model.cls.seq_relationship):
        assert isinstance(head, nn.Module)
        head.requires_grad_(False)


def encode_blocks(bert: BertModel, batch: Batch) -> torch.Tensor:
    """Last hidden states [B, L, H] of packed blocks, whose documents do not attend to each other."""
    outputs = bert(input_ids=batch["input_ids"], position_ids=batch["position_ids"], attention_mask=batch["visible"])
    return outputs.last_hidden_state


def predict_masked(model: BertForPreTraining, hidden_BLH: torch.Tensor, batch: Batch) -> torch.Tensor:
    """Logits over the vocabulary at the masked positions only, [M, V]."""
    return model.cls.predictions(hidden_BLH.flatten(0, 1)[batch["predicted"]])


def masked_logits(model: BertForPreTraining, batch: Batch) -> torch.Tensor:
    """The forward pass of masked language modelling, [M, V]."""
    return predict_masked(model, encode_blocks(model.bert, batch), batch)


def pretrain(
    model: BertForPreTraining, blocks: np.ndarray, *, tokenizer: BertTokenizer, steps: int, batch_size: int,
    learning_rate: float = 1e-3, warmup: float = 0.1, weight_decay: float = 0.01, mask_probability: float = 0.2,
    whole_words: bool = False, length_doublings: int = 0, dropout: float = 0.0, seed: int = 0,
    accelerator: Accelerator | None = None, state: TrainState | None = None, folder: Path | None = None,
    progress: Progress | None = None,
) -> list[dict[str, float]]:  # fmt: skip
    """Pretrain `model` in place on packed `blocks` [N, L] of token ids, and return the training curve.

    With `length_doublings`, sequences start at L / 2^length_doublings tokens (see growing_length); a step has
    `batch_size` * L tokens at any length. The other arguments are those of `train`.
    """
    accelerator, state = accelerator or set_up(), state or TrainState()
    device, shard = accelerator.device, shard_of(accelerator)
    vocab_size, longest = model.config.vocab_size, blocks.shape[1]
    masking = masking_for(tokenizer, probability=mask_probability, whole_words=whole_words, vocab_size=vocab_size)
    set_dropout(model, hidden=dropout)
    model.to(device)

    def batch(step: int) -> Batch:
        length = growing_length(step, steps=steps, longest=longest, doublings=length_doublings)
        return masked_batch(
            blocks, step, batch_size=batch_size, seed=seed, masking=masking, device=device, length=length, shard=shard
        )

    for _ in train(
        MaskedLanguageModeling(model), batches=batch, steps=steps, learning_rate=learning_rate, warmup=warmup,
        weight_decay=weight_decay, seed=seed, accelerator=accelerator, state=state, folder=folder, progress=progress,
    ):  # fmt: skip
        pass
    if steps:
        set_mlm_head_trained(model)
    model.eval()
    return state.curve


def heldout_mlm_scores(model: BertForPreTraining, blocks: np.ndarray, *, tokenizer: BertTokenizer) -> dict[str, float]:
    """Held-out MLM loss (natural logarithm) and accuracy at masked positions of `blocks` [N, L].

    Of more than HELDOUT_BLOCKS the first are taken. Both are 0 where no position is masked, as may happen in a block
    or two.
    """
    model.eval()
    vocab_size = model.config.vocab_size
    masking = masking_for(tokenizer, probability=HELDOUT_PROBABILITY, whole_words=False, vocab_size=vocab_size)
    loss, correct, count = 0.0, 0, 0
    blocks = blocks[:HELDOUT_BLOCKS]
    for start in range(0, len(blocks), HELDOUT_BATCH):
        batch = mask_blocks(blocks[start : start + HELDOUT_BATCH], masking=masking, position=(HELDOUT_SEED, start),
                            device=model.device)  # fmt: skip
        with torch.inference_mode():
            logits_MV = masked_logits(model, batch)
        loss += F.cross_entropy(logits_MV, batch["targets"], reduction="sum").item()
        correct += int((logits_MV.argmax(-1) == batch["targets"]).sum())
        count += len(batch["targets"])
    return {"loss": round(loss / max(count, 1), 5), "accuracy": round(correct / max(count, 1), 5)}
