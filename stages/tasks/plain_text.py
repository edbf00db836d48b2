"""A tokenizer for text that users wrote, as the kinds of task need it."""

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
