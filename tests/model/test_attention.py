"""Attention in float32 inside a bfloat16 model is more exact than PyTorch's own there, and the same elsewhere."""

from pathlib import Path

import torch
from torch import nn
from torch.nn.functional import scaled_dot_product_attention
from transformers import BertConfig, BertForPreTraining

from stages.model import attention
from stages.model.checkpoint import load_checkpoint, save
from tests.tiny_bert import CONFIG

B, HEADS, LENGTH, SIZE = 3, 2, 11, 4


def parts(dtype: torch.dtype) -> list[torch.Tensor]:
    """Queries, keys and values [B, h, L, d], which bfloat16 holds exactly."""
    torch.manual_seed(0)
    drawn = [torch.randn(B, LENGTH, HEADS, SIZE).bfloat16() for _ in range(3)]
    return [one.to(dtype).transpose(1, 2).requires_grad_() for one in drawn]


def test_sums_and_gradients_in_bfloat16_are_those_of_float32_rounded_once():
    torch.manual_seed(1)
    visible = (torch.rand(B, 1, LENGTH, LENGTH) > 0.5) | torch.eye(LENGTH, dtype=torch.bool)
    query, key, value = ours = parts(torch.bfloat16)
    wanted = parts(torch.float32)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        found, _ = attention.attend(nn.Module(), query, key, value, visible, is_causal=False)
    sums = scaled_dot_product_attention(*wanted, attn_mask=visible).transpose(1, 2)
    assert torch.equal(found, sums.bfloat16())
    gradient = torch.randn_like(sums).bfloat16()
    found.backward(gradient)
    sums.backward(gradient.float())
    for one, other in zip(ours, wanted, strict=True):
        assert one.grad is not None and other.grad is not None
        assert torch.equal(one.grad, other.grad.bfloat16())


def test_a_model_with_it_gives_what_it_gives_without_and_is_saved_as_without(tmp_path: Path):
    torch.manual_seed(0)
    save(BertForPreTraining(BertConfig.from_dict(CONFIG)).eval(), tmp_path / "plain")
    model = load_checkpoint(tmp_path / "plain").eval()
    plain = BertForPreTraining.from_pretrained(tmp_path / "plain", attn_implementation="sdpa").eval()
    assert model.config._attn_implementation == attention.NAME
    ids = torch.arange(24).reshape(2, 12)
    mask = torch.ones_like(ids)
    mask[1, 7:] = 0
    with torch.inference_mode():
        found, wanted = (one(input_ids=ids, attention_mask=mask).prediction_logits for one in (model, plain))
        assert torch.equal(found, wanted)
        with torch.autocast("cpu", dtype=torch.bfloat16):
            rounded = model(input_ids=ids, attention_mask=mask).prediction_logits
    torch.testing.assert_close(rounded[mask.bool()].float(), wanted[mask.bool()], rtol=0.05, atol=0.05)
    save(model, tmp_path / "again")
    assert (tmp_path / "again/config.json").read_bytes() == (tmp_path / "plain/config.json").read_bytes()
