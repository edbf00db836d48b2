"""A BERT checkpoint under a task's head."""

from pathlib import Path
from typing import Any

import torch
from transformers.utils import logging

from stages.model import attention

HEADS = ("classifier.", "qa_outputs.", "bert.pooler.")
"""What a checkpoint may lack."""


def load(head: Any, checkpoint: str | Path, *, seed: int, **config: Any) -> Any:
    """The model of class `head` with the weights of a local BERT folder; what the folder lacks is drawn from `seed`.

    Always float32, also from a half-precision checkpoint, since its weights are going to be trained, and never from
    a network: a path that does not exist would otherwise be taken for a name on the hub.
    """
    torch.manual_seed(seed)
    logging.set_verbosity_error()  # a table of the heads that come and go, which is checked below
    logging.disable_progress_bar()
    model, info = head.from_pretrained(
        str(checkpoint),
        dtype=torch.float32,
        attn_implementation=attention.NAME,
        local_files_only=True,
        use_safetensors=True,
        output_loading_info=True,
        **config,
    )
    missing = [key for key in info["missing_keys"] if not key.startswith(HEADS)]
    assert not missing, f"{checkpoint} lacks {missing}"
    return model


def class_names(labels: list[str]) -> dict:
    """The config's entries for these classes, in this order."""
    return {
        "num_labels": len(labels),
        "id2label": dict(enumerate(labels)),
        "label2id": {label: index for index, label in enumerate(labels)},
    }
