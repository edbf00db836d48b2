"""Attention by matrix products is attention: the same sums and gradients as PyTorch's own, wherever it stands in."""

from pathlib import Path

import pytest
import torch
from torch import nn
from torch.nn.functional import scaled_dot_product_attention
from transformers import BertConfig, BertForPreTraining

from stages.model import attention
from stages.model.checkpoint import load_checkpoint, save
from tests.tiny_bert import CONFIG

B, HEADS, LENGTH, SIZE = 3, 2, 11, 4


def parts(dtype: torch.dtype) -> list[torch.Tensor]:
    torch.manual_seed(0)
    return [torch.randn(B, LENGTH, HEADS, SIZE).to(dtype).transpose(1, 2).requires_grad_() for _ in range(3)]


def visible() -> torch.Tensor:
    torch.manual_seed(1)
    return (torch.rand(B, 1, LENGTH, LENGTH) > 0.5) | torch.eye(LENGTH, dtype=torch.bool)


@pytest.mark.parametrize("mask", [None, visible()], ids=["all visible", "masked"])
def test_sums_and_gradients_are_those_of_pytorch(mask: torch.Tensor | None):
    ours, wanted = parts(torch.float32), parts(torch.float32)
    query, key, value = ours
    found = attention._products(query, key, value, mask)
    sums = scaled_dot_product_attention(*wanted, attn_mask=mask).transpose(1, 2)
    torch.testing.assert_close(found, sums)
    torch.manual_seed(2)
    gradient = torch.randn_like(sums)
    found.backward(gradient)
    sums.backward(gradient)
    for one, other in zip(ours, wanted, strict=True):
        torch.testing.assert_close(one.grad, other.grad)


@pytest.mark.parametrize(
    ("dtype", "longest", "dropout", "products"),
    [(torch.bfloat16, 256, 0.0, True), (torch.float32, 256, 0.0, False), (torch.bfloat16, LENGTH - 1, 0.0, False),
     (torch.bfloat16, 256, 0.1, False)],
)  # fmt: skip
def test_products_stand_in_on_short_sequences_in_bfloat16(
    dtype: torch.dtype, longest: int, dropout: float, products: bool, monkeypatch: pytest.MonkeyPatch
):
    called = []
    monkeypatch.setattr(attention, "LONGEST", longest)
    monkeypatch.setattr(attention, "_products", lambda *_: called.append(1))
    query, key, value = parts(dtype)
    attention.attend(nn.Module(), query, key, value, None, dropout=dropout, is_causal=False)
    assert bool(called) == products


def test_a_model_with_it_gives_what_it_gives_without_and_is_saved_as_without(tmp_path: Path):
    config = BertConfig.from_dict(CONFIG)
    torch.manual_seed(0)
    save(BertForPreTraining(config).eval(), tmp_path / "plain")
    model = load_checkpoint(tmp_path / "plain").eval()
    plain = BertForPreTraining.from_pretrained(tmp_path / "plain", attn_implementation="sdpa").eval()
    assert model.config._attn_implementation == attention.NAME
    ids = torch.arange(24).reshape(2, 12) % config.vocab_size
    mask = torch.ones_like(ids)
    mask[1, 7:] = 0
    with torch.inference_mode():
        found, wanted = (one(input_ids=ids, attention_mask=mask).prediction_logits for one in (model, plain))
        torch.testing.assert_close(found, wanted, rtol=0, atol=0)
        with torch.autocast("cpu", dtype=torch.bfloat16):
            rounded = model(input_ids=ids, attention_mask=mask).prediction_logits
    torch.testing.assert_close(rounded[mask.bool()].float(), wanted[mask.bool()], rtol=0.05, atol=0.05)
    save(model, tmp_path / "again")
    assert (tmp_path / "again/config.json").read_bytes() == (tmp_path / "plain/config.json").read_bytes()
