"""How large a model is."""

from torch import nn


def count_parameters(model: nn.Module) -> dict[str, int]:
    """All weights, and those outside the embedding tables. A tied weight counts once."""
    embeddings = sum(p.numel() for name, p in model.named_parameters() if "embeddings" in name and p.ndim == 2)
    total = sum(p.numel() for p in model.parameters())
    return {"parameters": total, "parameters_without_embeddings": total - embeddings}
