"""The tokenizer that is saved is the one that every library loads, to the byte."""

import json
from typing import Any

import pytest
from tokenizers import AddedToken, Tokenizer
from tokenizers.models import BPE
from transformers import AutoTokenizer, BertTokenizer

from tinybert.data.tokenizer import build_tokenizer, limit_length, load_tokenizer, save_tokenizer
from tinybert.data.wordpiece import SPECIAL_TOKENS, count_words, train_vocabulary
from tinybert.errors import InputError

VOCABULARY = [*SPECIAL_TOKENS, "[", "]", "a", "b", "##a", "##b", "ab", "mask", "\u00e9"]
CASED = [*VOCABULARY, "A", "##A", "MASK"]
TEXT = "Ab ba [MASK] b"
PIECES = ["[CLS]", "ab", "b", "##a", "[MASK]", "b", "[SEP]"]
BYTE_PAIRS = Tokenizer(BPE(vocab={"a": 0}, merges=[])).to_str()


@pytest.fixture
def folder(tmp_path):
    save_tokenizer(build_tokenizer(VOCABULARY, lowercase=True, max_length=16), folder=tmp_path)
    return tmp_path


def contents(folder):
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def refusal(folder):
    with pytest.raises(InputError) as caught:
        load_tokenizer(folder)
    return str(caught.value)


def test_ids_are_the_places_in_the_vocabulary():
    tokenizer = build_tokenizer(VOCABULARY, lowercase=True, max_length=16)
    assert tokenizer.convert_ids_to_tokens(list(range(len(VOCABULARY)))) == VOCABULARY
    assert len(tokenizer) == len(VOCABULARY)
    assert tokenizer("a b", "ab")["input_ids"] == [2, 7, 8, 3, 11, 3]
    assert tokenizer("a b", "ab")["token_type_ids"] == [0, 0, 0, 0, 1, 1]


@pytest.mark.parametrize(("lowercase", "pieces"), [(True, ["ab", "[UNK]"]), (False, ["A", "##b", "\u00e9"])])
def test_case_and_accents_stay_only_without_lowercase(lowercase, pieces):
    tokenizer = build_tokenizer(CASED, lowercase=lowercase, max_length=16)
    assert tokenizer.tokenize("Ab \u00e9") == pieces


def test_writing_twice_gives_the_same_bytes_and_so_does_writing_what_was_read(folder, tmp_path_factory):
    again, copied = tmp_path_factory.mktemp("again"), tmp_path_factory.mktemp("copied")
    save_tokenizer(build_tokenizer(VOCABULARY, lowercase=True, max_length=16), folder=again)
    save_tokenizer(load_tokenizer(folder), folder=copied)
    assert contents(again) == contents(folder) == contents(copied)
    assert set(contents(folder)) == {"tokenizer.json", "tokenizer_config.json", "vocab.txt"}
    assert (folder / "vocab.txt").read_text(encoding="utf-8") == "".join(piece + "\n" for piece in VOCABULARY)


def test_a_vocabulary_learnt_from_texts_spells_every_word_of_them():
    texts = ["Caf\u00e9s, \u5317\u4eac and the a b c", "the other's 3.14 -- \u00dcber \u03c3\u03c2"]
    for lowercase in (True, False):
        words = count_words(texts, lowercase=lowercase)
        vocabulary = train_vocabulary(words, vocab_size=120, min_frequency=2)
        tokenizer = build_tokenizer(vocabulary, lowercase=lowercase, max_length=512)
        for text in texts:
            spelled = "".join(piece.removeprefix("##") for piece in tokenizer.tokenize(text))
            assert sorted(spelled) == sorted("".join(count_words([text], lowercase=lowercase).elements()))


def test_every_reader_reads_the_same_tokenizer(folder, tmp_path_factory):
    bare = tmp_path_factory.mktemp("bare")
    (bare / "vocab.txt").write_bytes((folder / "vocab.txt").read_bytes())
    expected = load_tokenizer(folder)("ab A b\u00e9")["input_ids"]
    assert AutoTokenizer.from_pretrained(folder)("ab A b\u00e9")["input_ids"] == expected
    assert Tokenizer.from_file(str(folder / "tokenizer.json")).encode("ab A b\u00e9").ids == expected
    assert load_tokenizer(bare)("ab A b\u00e9")["input_ids"] == expected


def test_special_tokens_in_a_text_are_special_tokens_to_all_that_read_it(folder):
    tokenizer = load_tokenizer(folder)
    assert tokenizer(TEXT).tokens() == PIECES
    assert tokenizer.backend_tokenizer.encode(TEXT).tokens == PIECES
    assert tokenizer.backend_tokenizer.encode_batch([TEXT])[0].tokens == PIECES
    assert AutoTokenizer.from_pretrained(folder)(TEXT).tokens() == PIECES


def test_added_tokens_stay_tokens(folder, tmp_path_factory):
    tokenizer, copied = load_tokenizer(folder), tmp_path_factory.mktemp("copied")
    added: Any = [AddedToken("[E1]", special=True), AddedToken("<b>")]
    tokenizer.add_tokens(added)
    save_tokenizer(tokenizer, folder=folder)
    save_tokenizer(load_tokenizer(folder), folder=copied)
    assert contents(copied) == contents(folder)
    for reader in (load_tokenizer(copied), AutoTokenizer.from_pretrained(copied)):
        assert reader("[E1]a<b>").tokens() == ["[CLS]", "[E1]", "a", "<b>", "[SEP]"]


def test_a_tokenizer_is_limited_to_the_positions_of_its_model(folder, tmp_path_factory):
    tokenizer, copied = load_tokenizer(folder), tmp_path_factory.mktemp("copied")
    for positions, limit in ((99, 16), (8, 8)):
        limit_length(tokenizer, positions)
        save_tokenizer(tokenizer, folder=copied)
        served = AutoTokenizer.from_pretrained(copied)
        assert served.model_max_length == limit and len(served("a " * 50, truncation=True)["input_ids"]) == limit


def test_case_is_kept_where_only_the_vocabulary_or_tokenizer_json_tells(folder, tmp_path):
    cased = tmp_path / "cased"
    cased.mkdir()
    save_tokenizer(build_tokenizer(CASED, lowercase=False, max_length=16), folder=cased)
    (cased / "tokenizer_config.json").unlink()
    assert load_tokenizer(cased)("A \u00e9").tokens()[1:-1] == ["A", "\u00e9"]
    (cased / "tokenizer.json").unlink()
    assert load_tokenizer(cased)("A \u00e9").tokens()[1:-1] == ["A", "\u00e9"]
    (cased / "tokenizer_config.json").write_text('{"do_lower_case": true}')
    assert refusal(cased) == (
        f"{cased}: its files lower-case text (do_lower_case), but its vocabulary has words in capitals, which would "
        "never be used"
    )


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"tokenizer_class": "BertJapaneseTokenizer"}, "is a BertJapaneseTokenizer, expected BertTokenizer"),
        ({"do_basic_tokenize": False}, "do_basic_tokenize is False, expected True"),
        ({"never_split": ["a"]}, "never_split is ['a'], expected []"),
        ({"split_special_tokens": True}, "split_special_tokens is True, expected False"),
    ],
)
def test_settings_that_bert_tokenizer_does_not_follow_are_refused(tmp_path, settings, message):
    (tmp_path / "vocab.txt").write_text("\n".join(VOCABULARY), encoding="utf-8")
    (tmp_path / "tokenizer_config.json").write_text(json.dumps(settings))
    assert message in refusal(tmp_path)


def test_a_class_named_in_config_json_counts_where_the_tokenizer_names_none(folder):
    (folder / "config.json").write_text('{"tokenizer_class": "BertJapaneseTokenizer"}')
    load_tokenizer(folder)
    (folder / "tokenizer_config.json").write_text("{}")
    assert "is a BertJapaneseTokenizer" in refusal(folder)


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ('{"type":"BertPreTokenizer"}', '{"type":"WhitespaceSplit"}', "the pre_tokenizer of tokenizer.json has"),
        (
            '"max_input_chars_per_word":100',
            '"max_input_chars_per_word":9',
            "is 9, expected 100, as BertTokenizer",
        ),
        ('"continuing_subword_prefix":"##"', '"continuing_subword_prefix":"_"', "is '_', expected '##'"),
        ('"clean_text":true', '"clean_text":false', "{'clean_text': False}, but BertTokenizer"),
    ],
)
def test_a_tokenizer_json_that_bert_tokenizer_would_not_follow_is_refused(folder, old, new, message):
    text = json.dumps(json.loads((folder / "tokenizer.json").read_text(encoding="utf-8")), separators=(",", ":"))
    assert old in text
    (folder / "tokenizer.json").write_text(text.replace(old, new), encoding="utf-8")
    assert message in refusal(folder)


def test_truncation_and_padding_of_the_file_are_off_and_not_written_again(folder, tmp_path_factory):
    backend = Tokenizer.from_file(str(folder / "tokenizer.json"))
    clean = contents(folder)
    backend.enable_truncation(4)
    backend.enable_padding(length=4)
    backend.save(str(folder / "tokenizer.json"))
    tokenizer = load_tokenizer(folder)
    assert tokenizer.backend_tokenizer.encode(TEXT).tokens == PIECES
    copied = tmp_path_factory.mktemp("copied")
    save_tokenizer(tokenizer, folder=copied)
    assert contents(copied)["tokenizer.json"] == clean["tokenizer.json"]
    assert "max_length" not in json.loads(contents(copied)["tokenizer_config.json"])


def test_what_was_done_with_a_tokenizer_does_not_show_in_its_files(folder, tmp_path_factory):
    tokenizer, copied = load_tokenizer(folder), tmp_path_factory.mktemp("copied")
    tokenizer([TEXT, "a"], padding="max_length", truncation=True, max_length=4, return_offsets_mapping=True)
    tokenizer.backend_tokenizer.enable_truncation(4)
    tokenizer.backend_tokenizer.enable_padding(length=4)
    save_tokenizer(tokenizer, folder=copied)
    assert contents(copied) == contents(folder)


@pytest.mark.parametrize("loader", [(Tokenizer, "from_file"), (BertTokenizer, "from_pretrained")])
def test_a_lack_of_memory_is_not_taken_for_a_broken_file(folder, monkeypatch, loader):
    def fail(*arguments, **options):
        raise MemoryError

    monkeypatch.setattr(*loader, fail)
    with pytest.raises(MemoryError):
        load_tokenizer(folder)


LATIN_1 = "[PAD]\n\u00e9\n".encode("latin-1")
NOT_UTF_8 = (
    "cannot be read as a tokenizer: 'utf-8' codec can't decode byte 0xe9 in position 6: invalid continuation byte"
)
CUT_OFF = "cannot be read as a tokenizer: EOF while parsing a value at line 1 column 19"
NO_TOKEN = (
    "cannot be read as a tokenizer: Special token mask_token has to be either str or AddedToken but got: <class 'int'>"
)
NOT_JSON = "not valid JSON: Expecting property name enclosed in double quotes: line 1 column 2 (char 1)"


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("", b"", "{} holds no BERT tokenizer: neither tokenizer.json nor vocab.txt is there"),
        ("vocab.txt", b"[PAD]\n[UNK]\n[CLS]\n[SEP]\na\n", "{}: its vocabulary lacks [MASK], which BERT needs"),
        ("vocab.txt", LATIN_1, f"{{}}/vocab.txt {NOT_UTF_8}"),
        ("tokenizer.json", BYTE_PAIRS.encode(), "{}/tokenizer.json is a BPE tokenizer; expected BERT's WordPiece"),
        ("tokenizer.json", b'{"version": "1.0", ', f"{{}}/tokenizer.json {CUT_OFF}"),
    ],
)
def test_a_folder_with_no_tokenizer_or_another_or_a_broken_one_is_refused(tmp_path, name, content, message):
    if name:
        (tmp_path / name).write_bytes(content)
    assert refusal(tmp_path) == message.format(tmp_path)


@pytest.mark.parametrize(
    ("name", "old", "new", "message"),
    [
        ("tokenizer.json", '"mask":12', '"mask":99', "{}: its vocabulary goes up to id 99, but no piece has id 12"),
        (
            "tokenizer_config.json",
            '_case":true',
            '_case":false',
            "{}: the normalizer of tokenizer.json has ",
        ),
        ("tokenizer_config.json", '"[MASK]"', "5", f"{{}}/tokenizer.json with tokenizer_config.json {NO_TOKEN}"),
        ("tokenizer_config.json", "{", "{{", f"{{}}/tokenizer_config.json: {NOT_JSON}"),
    ],
)
def test_a_description_that_was_edited_is_refused(folder, name, old, new, message):
    text = json.dumps(json.loads((folder / name).read_text(encoding="utf-8")), separators=(",", ":"))
    assert old in text
    (folder / name).write_text(text.replace(old, new), encoding="utf-8")
    assert refusal(folder).startswith(message.format(folder))


@pytest.mark.parametrize("name", ["tokenizer_config.json", "special_tokens_map.json", "added_tokens.json"])
def test_settings_that_are_no_json_object_are_refused(folder, name):
    (folder / name).write_text("[]")
    assert refusal(folder) == f"{folder}/{name}: holds no JSON object"
