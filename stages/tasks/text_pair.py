"""One text or a pair of texts as BERT's input. Used by classification and regression."""

from transformers import PreTrainedTokenizerFast

from stages.tasks.plain_text import plain_text_tokenizer


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
