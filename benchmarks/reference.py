"""The models and the optimizer of TinyBERT's authors, from a copy of their code that is no part of this project.

What is measured here was measured with their commit 0598f02 of January 2024.
"""

import sys
import types
from importlib import import_module
from pathlib import Path
from typing import Any

from torch import nn
from transformers import BertConfig

from benchmarks.throughput import LEARNING_RATE, WARMUP, WEIGHT_DECAY

NO_DECAY = ("bias", "LayerNorm.bias", "LayerNorm.weight")
NEVER_CALLED = {"boto3": (), "botocore": (), "botocore.exceptions": ("ClientError",)}
"""What their code imports to download models, and the names that it takes from there."""


class Reference:
    """`folder` is the folder TinyBERT of Pretrained-Language-Model, whose packages are `transformer.*`."""

    def __init__(self, folder: Path) -> None:
        fakes = {name: _empty(name, members) for name, members in NEVER_CALLED.items() if name not in sys.modules}
        sys.modules.update(fakes)
        sys.path.insert(0, str(folder))
        self._models = import_module("transformer.modeling")
        self._optimizer = import_module("transformer.optimization").BertAdam
        for name in fakes:
            del sys.modules[name]

    def model(self, name: str, config: BertConfig, weights: dict[str, Any], **options: Any) -> Any:
        """Their class of that name, with those of the weights, named as Transformers does, that it has."""
        keys = ("hidden_size", "num_hidden_layers", "num_attention_heads", "intermediate_size")
        own = self._models.BertConfig(config.vocab_size, **{key: getattr(config, key) for key in keys})
        model = getattr(self._models, name)(own, **options)
        missing = set(model.load_state_dict(weights, strict=False).missing_keys)
        assert all(key.startswith(("fit_dense", "cls")) for key in missing), missing
        return model

    def optimizer(self, model: nn.Module, *, steps: int, schedule: str = "warmup_linear") -> Any:
        """As both of their scripts set it up, the one for tasks with the schedule "none" in its first phase."""
        groups: list[dict[str, Any]] = [
            {"params": [], "weight_decay": WEIGHT_DECAY},
            {"params": [], "weight_decay": 0.0},
        ]
        for name, weight in model.named_parameters():
            groups[any(part in name for part in NO_DECAY)]["params"].append(weight)
        return self._optimizer(groups, lr=LEARNING_RATE, warmup=WARMUP, t_total=steps, schedule=schedule)


def _empty(name: str, members: tuple[str, ...]) -> types.ModuleType:
    module = types.ModuleType(name)
    for member in members:
        setattr(module, member, type(member, (Exception,), {}))
    return module
