"""Load and save BERT checkpoints: with both pretraining heads, so that no weight is lost, or under a task's head."""

from pathlib import Path
from typing import Any, TypeVar

import torch
from torch import nn
from transformers import BertConfig, BertForPreTraining, PreTrainedModel
from transformers.utils import logging

from tinybert.errors import InputError, explain
from tinybert.model import attention
from tinybert.model.checkpoint_validation import validate_checkpoint

Model = TypeVar("Model", bound=PreTrainedModel)
MLM_HEAD = "cls.predictions."
"""What the names of its weights begin with."""
WITH_HEAD_MAY_LACK = ("classifier.", "qa_outputs.", "bert.pooler.")
RANDOM_MLM_HEAD = "mlm_head_is_random"


def load_checkpoint(folder: Path, *, seed: int = 0) -> BertForPreTraining:
    """The BERT in `folder`, a local copy of a hub repository; heads that it lacks are drawn from `seed`.

    Only safetensors are read, and no code of the repository is run. Raises InputError when the folder holds no BERT,
    when its weights are not in safetensors, are damaged, differ from its config.json, or lack a part of the encoder.
    """
    validate_checkpoint(folder)
    try:
        # Mismatched sizes are refused below, by name.
        model, info = _from_pretrained(BertForPreTraining, folder, seed=seed, ignore_mismatched_sizes=True)
    except Exception as error:  # whatever Transformers stumbles over here, it is in these files
        if explain(error):
            raise
        raise InputError(f"{folder}: the checkpoint cannot be loaded: {type(error).__name__}: {error}") from None
    for name, shape, expected in sorted(info["mismatched_keys"]):
        raise InputError(f"{folder}: {name} has shape {[*shape]}, expected {[*expected]} by config.json")
    missing = sorted(key for key in info["missing_keys"] if not key.startswith(("cls.", "bert.pooler.")))
    if missing:
        raise InputError(f"{folder}: the checkpoint lacks {len(missing)} of BERT's weights, the first is {missing[0]}")
    vars(model)[RANDOM_MLM_HEAD] = any(key.startswith(MLM_HEAD) for key in info["missing_keys"])
    vars(model.config).pop("auto_map", None)  # names code of the repository, which is neither run nor passed on
    return model


def double_token_type(model: BertForPreTraining) -> None:
    """Give a BERT with one token type a second, equal one, which changes no output.

    Tokenizers give the second text of a pair token type 1, for which a model with one type has no embedding.
    """
    embeddings = model.bert.embeddings
    if model.config.type_vocab_size == 1:
        weight = embeddings.token_type_embeddings.weight.detach()
        embeddings.token_type_embeddings = nn.Embedding.from_pretrained(weight.repeat(2, 1), freeze=False)
        model.config.type_vocab_size = 2


def load_with_head(head: type[Model], checkpoint: str | Path, *, seed: int, **config: Any) -> Model:
    """A model of class `head` with the weights of a local BERT folder; those that it lacks are drawn from `seed`.

    Always float32, also from a half-precision checkpoint, since the weights are going to be trained.
    """
    model, info = _from_pretrained(head, checkpoint, seed=seed, **config)
    missing = [key for key in info["missing_keys"] if not key.startswith(WITH_HEAD_MAY_LACK)]
    assert not missing, f"{checkpoint} lacks {missing}"
    return model


def _from_pretrained(
    model_class: type[Model], folder: str | Path, *, seed: int, **options: Any
) -> tuple[Model, dict[str, Any]]:
    """The model, and Transformers' report on missing and mismatched weights, which it would only print."""
    torch.manual_seed(seed)
    logging.set_verbosity_error()
    logging.disable_progress_bar()
    loaded: Any = model_class.from_pretrained(
        str(folder), use_safetensors=True, output_loading_info=True, dtype=torch.float32,
        attn_implementation=attention.NAME,
        local_files_only=True,  # a path that does not exist would otherwise be taken for a name on the hub
        **options,
    )  # fmt: skip
    return loaded


def label_config(labels: list[str]) -> dict[str, Any]:
    """The entries of a model's config for these classes, in this order."""
    id2label = dict(enumerate(labels))
    return {"num_labels": len(labels), "id2label": id2label, "label2id": {label: n for n, label in id2label.items()}}


def has_mlm_head(model: BertForPreTraining) -> bool:
    """Whether the MLM head of `model` was trained; False where `load_checkpoint` had to draw weights of it."""
    return not vars(model).get(RANDOM_MLM_HEAD, False)


def set_mlm_head_trained(model: BertForPreTraining) -> None:
    """Record that the MLM head has been trained since it was drawn."""
    vars(model)[RANDOM_MLM_HEAD] = False


def save(model: PreTrainedModel, folder: Path, *, head: bool = True) -> None:
    """Write config.json and model.safetensors, with the same bytes for the same weights.

    Without `head` the MLM head is left out, so that a random one is not taken for a trained one.
    """
    logging.disable_progress_bar()
    # Transformers lets only the first of several processes save, but every machine needs its outputs.
    vars(model)["should_save_on_this_rank"] = lambda is_main_process: is_main_process
    weights = None if head else {n: w for n, w in model.state_dict().items() if not n.startswith(MLM_HEAD)}
    model.save_pretrained(folder, state_dict=weights)


def set_dropout(model: nn.Module, *, hidden: float) -> None:
    """Set the dropout of hidden states; attention probabilities get none, which keeps the fast attention kernels on."""
    for name, module in model.named_modules():
        if isinstance(module, nn.Dropout):
            module.p = 0.0 if name.endswith("attention.self.dropout") else hidden


def require_positions(length: int, config: BertConfig, *, key: str) -> None:
    """Raise InputError when `length` in tokens, the value of the parameter `key`, is above the model's positions."""
    positions = config.max_position_embeddings
    if length > positions:
        raise InputError(f"{key} is {length}, expected at most {positions}, the model's positions")
