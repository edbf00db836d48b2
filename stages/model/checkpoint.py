"""Load and save BERT models: with both of BERT's pretraining heads where there are any, so that no weight is lost."""

from pathlib import Path
from typing import Any

import torch
from torch import nn
from transformers import BertConfig, BertForPreTraining, PreTrainedModel
from transformers.utils import logging

from stages.model import attention
from stages.model.claims import require_bert
from stages.pipeline.errors import InputError
from stages.pipeline.trouble import explain

HEAD = "cls.predictions."
"""Of masked words: what its weights are called."""
DRAWN = "masked_word_head_is_drawn"


def load_checkpoint(folder: Path, *, seed: int = 0) -> BertForPreTraining:
    """The BERT in `folder`, a local copy of a hub repository; heads that it lacks are drawn from `seed`.

    Only safetensors are read, and no code of the repository. Raises InputError when the folder holds no BERT, when
    its weights are not in safetensors, damaged or not those of its config.json, or when the encoder's weights are not
    all there.
    """
    require_bert(folder)
    torch.manual_seed(seed)
    logging.set_verbosity_error()  # a table of the heads that are missing, which are checked below
    logging.disable_progress_bar()
    try:
        loaded: Any = BertForPreTraining.from_pretrained(
            folder, use_safetensors=True, local_files_only=True, output_loading_info=True, dtype=torch.float32,
            attn_implementation=attention.NAME,
            ignore_mismatched_sizes=True,  # they are refused below, by name
        )  # fmt: skip
    except Exception as error:  # whatever Transformers stumbles over here, it is in these files
        if explain(error):
            raise
        raise InputError(f"{folder}: the checkpoint cannot be loaded: {type(error).__name__}: {error}") from None
    model, info = loaded
    for name, found, wanted in sorted(info["mismatched_keys"]):
        raise InputError(f"{folder}: {name} has shape {[*found]}, but by config.json it is {[*wanted]}")
    missing = sorted(key for key in info["missing_keys"] if not key.startswith(("cls.", "bert.pooler.")))
    if missing:
        raise InputError(f"{folder}: the checkpoint lacks {len(missing)} of BERT's weights, the first is {missing[0]}")
    vars(model)[DRAWN] = any(key.startswith(HEAD) for key in info["missing_keys"])
    vars(model.config).pop("auto_map", None)  # names code of the repository, which is not run and not passed on
    return model


def has_head(model: BertForPreTraining) -> bool:
    """Whether `model` came with its masked-word head; false where `load_checkpoint` had to draw weights of it."""
    return not vars(model).get(DRAWN, False)


def save(model: PreTrainedModel, folder: Path, *, head: bool = True) -> None:
    """config.json and model.safetensors, the same bytes for the same weights.

    Without `head` the masked-word head is left out, so that a random one is not taken for one that was learnt.
    """
    logging.disable_progress_bar()
    # Of several processes Transformers lets the first one save alone, but every machine needs its outputs.
    vars(model)["should_save_on_this_rank"] = lambda is_main_process: is_main_process
    kept = None if head else {name: one for name, one in model.state_dict().items() if not name.startswith(HEAD)}
    model.save_pretrained(folder, state_dict=kept)


def set_dropout(model: nn.Module, *, hidden: float) -> None:
    """Dropout of hidden states; attention probabilities get none, which keeps the fast attention kernels on."""
    for name, module in model.named_modules():
        if isinstance(module, nn.Dropout):
            module.p = 0.0 if name.endswith("attention.self.dropout") else hidden


def require_positions(length: int, config: BertConfig, *, key: str) -> None:
    """Raises InputError when `length` in tokens, what params.yaml has at `key`, is above the model's positions."""
    positions = config.max_position_embeddings
    if length > positions:
        raise InputError(f"params.yaml: {key} is {length}; wanted is at most {positions}, the model's positions")
