"""AdamW and its schedule, as a function of the step."""

import torch
from torch import nn

BETAS, EPSILON, CLIP = (0.9, 0.98), 1e-6, 1.0
"""Of RoBERTa (Liu et al. 2019, section 3.1), BERT's but for the second beta, which suits runs of few steps; gradients
are clipped to this norm, BERT's."""


def adamw(module: nn.Module, *, weight_decay: float) -> torch.optim.AdamW:
    """AdamW over all weights that train; biases and layer norms are not decayed."""
    weights = [p for p in module.parameters() if p.requires_grad]
    groups = [
        {"params": [p for p in weights if p.ndim > 1], "weight_decay": weight_decay},
        {"params": [p for p in weights if p.ndim <= 1], "weight_decay": 0.0},
    ]
    return torch.optim.AdamW(groups, lr=0.0, betas=BETAS, eps=EPSILON, fused=True)


def learning_rate(step: int, *, steps: int, peak: float, warmup: float) -> float:
    """Linear from 0 to `peak` in the first `warmup` share of the steps, then linear to 0; steps count from 0."""
    rising = warmup * steps
    if step < rising:
        return peak * (step + 1) / (rising + 1)
    return peak * (steps - step) / max(steps - rising, 1)
