"""Text that users wrote as token ids, as the kinds of task need it."""

from tokenizers import Tokenizer
from transformers import PreTrainedTokenizerFast


def plain_text_tokenizer(tokenizer: PreTrainedTokenizerFast) -> Tokenizer:
    """The tokenizer's backend with neither truncation nor padding, for which "[SEP]" in a text is text.

    It is a copy: truncation and the treatment of special tokens are state of a backend, and a tokenizer that is
    saved later must not carry what an encoding set.
    """
    backend = Tokenizer.from_str(tokenizer.backend_tokenizer.to_str())
    backend.no_truncation()
    backend.no_padding()
    backend.encode_special_tokens = True
    return backend


def encode_texts(rows: list[dict], *, tokenizer: PreTrainedTokenizerFast, max_length: int) -> list[dict]:
    """One feature per row: `row` (its index), `input_ids` and `token_type_ids`, at most max_length tokens.

    [CLS] text [SEP], or [CLS] text [SEP] text_pair [SEP]; of a pair that is too long the longer text is cut first.
    """
    backend = plain_text_tokenizer(tokenizer)
    backend.enable_truncation(max_length, strategy="longest_first")
    texts = [row["text"] if row["text_pair"] is None else (row["text"], row["text_pair"]) for row in rows]
    return [
        {"row": index, "input_ids": encoding.ids, "token_type_ids": encoding.type_ids}
        for index, encoding in enumerate(backend.encode_batch_fast(texts))
    ]
