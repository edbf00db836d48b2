"""Attention is computed in float32 inside a bfloat16 model, and as PyTorch's own elsewhere."""

from pathlib import Path

import torch
from torch import nn
from torch.nn.functional import scaled_dot_product_attention
from transformers import BertConfig, BertForPreTraining

from tests.tiny_bert import INPUTS
from tinybert.model import attention
from tinybert.model.checkpoint import load_checkpoint, save

B, HEADS, LENGTH, SIZE = 3, 2, 11, 4


def parts(dtype: torch.dtype) -> list[torch.Tensor]:
    """Queries, keys and values [B, h, L, d] that bfloat16 holds exactly."""
    torch.manual_seed(0)
    drawn = [torch.randn(B, LENGTH, HEADS, SIZE).bfloat16() for _ in range(3)]
    return [part.to(dtype).transpose(1, 2).requires_grad_() for part in drawn]


def test_outputs_and_gradients_in_bfloat16_are_those_of_float32_rounded_once():
    torch.manual_seed(1)
    visible = (torch.rand(B, 1, LENGTH, LENGTH) > 0.5) | torch.eye(LENGTH, dtype=torch.bool)
    query, key, value = ours = parts(torch.bfloat16)
    exact = parts(torch.float32)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        outputs, _ = attention.attend(nn.Module(), query, key, value, visible, is_causal=False)
    expected = scaled_dot_product_attention(*exact, attn_mask=visible).transpose(1, 2)
    assert torch.equal(outputs, expected.bfloat16())
    gradient = torch.randn_like(expected).bfloat16()
    outputs.backward(gradient)
    expected.backward(gradient.float())
    for rounded, part in zip(ours, exact, strict=True):
        assert rounded.grad is not None and part.grad is not None
        assert torch.equal(rounded.grad, part.grad.bfloat16())


def test_a_model_with_it_computes_and_is_saved_as_one_without(config: BertConfig, tmp_path: Path):
    save(BertForPreTraining(config), tmp_path / "plain")
    model = load_checkpoint(tmp_path / "plain").eval()
    plain = BertForPreTraining.from_pretrained(tmp_path / "plain", attn_implementation="sdpa").eval()
    assert model.config._attn_implementation == attention.NAME
    real = INPUTS["attention_mask"].bool()
    with torch.inference_mode():
        logits, expected = (m(**INPUTS).prediction_logits for m in (model, plain))
        assert torch.equal(logits, expected)
        with torch.autocast("cpu", dtype=torch.bfloat16):
            rounded = model(**INPUTS).prediction_logits
    torch.testing.assert_close(rounded[real].float(), expected[real], rtol=0.05, atol=0.05)
    save(model, tmp_path / "again")
    assert (tmp_path / "again/config.json").read_bytes() == (tmp_path / "plain/config.json").read_bytes()
