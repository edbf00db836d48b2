"""The sizes of a tiny BERT, odd and distinct so that a mixed-up axis shows; without dropout."""

from typing import Any

CONFIG: dict[str, Any] = {
    "vocab_size": 99,
    "hidden_size": 36,
    "num_attention_heads": 4,
    "num_hidden_layers": 5,
    "intermediate_size": 52,
    "max_position_embeddings": 40,
    "hidden_dropout_prob": 0.0,
    "attention_probs_dropout_prob": 0.0,
}
