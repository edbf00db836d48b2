"""The tokenizer that is saved is the one that every library loads, to the byte."""

import json

import pytest
from tokenizers import Tokenizer
from tokenizers.models import BPE
from transformers import AutoTokenizer, BertTokenizer

from tinybert.data.tokenizer import build_tokenizer, load_tokenizer, save_tokenizer
from tinybert.data.wordpiece import SPECIAL_TOKENS, count_words, train_vocabulary
from tinybert.errors import InputError

VOCABULARY = [*SPECIAL_TOKENS, "[", "]", "a", "b", "A", "##a", "##b", "##A", "ab", "mask", "MASK", "\u00e9"]
TEXT = "Ab ba [MASK] b"
LOWERCASED = ["[CLS]", "ab", "b", "##a", "[", "mask", "]", "b", "[SEP]"]


@pytest.fixture
def folder(tmp_path):
    save_tokenizer(build_tokenizer(VOCABULARY, lowercase=True, max_length=16), folder=tmp_path)
    return tmp_path


def contents(folder):
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def test_ids_are_the_places_in_the_vocabulary():
    tokenizer = build_tokenizer(VOCABULARY, lowercase=True, max_length=16)
    assert tokenizer.convert_ids_to_tokens(list(range(len(VOCABULARY)))) == VOCABULARY
    assert len(tokenizer) == len(VOCABULARY)
    assert tokenizer("a b", "ab")["input_ids"] == [2, 7, 8, 3, 13, 3]
    assert tokenizer("a b", "ab")["token_type_ids"] == [0, 0, 0, 0, 1, 1]


@pytest.mark.parametrize(("lowercase", "pieces"), [(True, ["ab", "[UNK]"]), (False, ["A", "##b", "\u00e9"])])
def test_case_and_accents_stay_only_without_lowercase(lowercase, pieces):
    tokenizer = build_tokenizer(VOCABULARY, lowercase=lowercase, max_length=16)
    assert tokenizer.tokenize("Ab \u00e9") == pieces


def test_writing_twice_gives_the_same_bytes_and_so_does_writing_what_was_read(folder, tmp_path_factory):
    again, copied = tmp_path_factory.mktemp("again"), tmp_path_factory.mktemp("copied")
    save_tokenizer(build_tokenizer(VOCABULARY, lowercase=True, max_length=16), folder=again)
    save_tokenizer(load_tokenizer(folder), folder=copied)
    assert contents(again) == contents(folder) == contents(copied)
    assert set(contents(folder)) == {"tokenizer.json", "tokenizer_config.json", "vocab.txt"}


def test_the_vocabulary_file_lists_the_entries_in_order(folder):
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


def test_special_tokens_in_a_text_are_plain_text(folder):
    tokenizer = load_tokenizer(folder)
    assert tokenizer(TEXT).tokens() == LOWERCASED
    assert tokenizer.backend_tokenizer.encode(TEXT).tokens == LOWERCASED
    assert tokenizer.backend_tokenizer.encode_batch([TEXT])[0].tokens == LOWERCASED
    assert AutoTokenizer.from_pretrained(folder)(TEXT).tokens()[4] == "[MASK]"


def test_truncation_and_padding_of_the_file_are_off_and_not_written_again(folder, tmp_path_factory):
    backend = Tokenizer.from_file(str(folder / "tokenizer.json"))
    clean = contents(folder)
    backend.enable_truncation(4)
    backend.enable_padding(length=4)
    backend.save(str(folder / "tokenizer.json"))
    tokenizer = load_tokenizer(folder)
    assert tokenizer.backend_tokenizer.encode(TEXT).tokens == LOWERCASED
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


def test_a_folder_without_a_tokenizer_is_refused(tmp_path):
    with pytest.raises(InputError, match=r"neither tokenizer.json nor vocab.txt"):
        load_tokenizer(tmp_path)


def test_a_tokenizer_of_another_kind_is_refused(tmp_path):
    Tokenizer(BPE(vocab={"a": 0}, merges=[])).save(str(tmp_path / "tokenizer.json"))
    with pytest.raises(InputError, match="is a BPE tokenizer"):
        load_tokenizer(tmp_path)


def test_a_broken_file_is_refused(folder):
    (folder / "tokenizer.json").write_text('{"version": "1.0", ')
    with pytest.raises(InputError, match="cannot be read as a tokenizer"):
        load_tokenizer(folder)


@pytest.mark.parametrize("loader", [(Tokenizer, "from_file"), (BertTokenizer, "from_pretrained")])
def test_a_lack_of_memory_is_not_taken_for_a_broken_file(folder, monkeypatch, loader):
    def fail(*arguments, **options):
        raise MemoryError

    monkeypatch.setattr(*loader, fail)
    with pytest.raises(MemoryError):
        load_tokenizer(folder)


def test_a_vocabulary_without_a_special_token_is_refused(tmp_path):
    (tmp_path / "vocab.txt").write_text("[PAD]\n[UNK]\n[CLS]\n[SEP]\na\n")
    with pytest.raises(InputError, match=r"its vocabulary lacks \[MASK\]"):
        load_tokenizer(tmp_path)


def test_a_vocabulary_that_skips_an_id_is_refused(folder):
    file = folder / "tokenizer.json"
    description = json.loads(file.read_text(encoding="utf-8"))
    description["model"]["vocab"]["mask"] = 99
    file.write_text(json.dumps(description), encoding="utf-8")
    with pytest.raises(InputError, match=r"goes up to id 99, but no piece has id 14$"):
        load_tokenizer(folder)


def test_two_descriptions_that_differ_are_refused(folder):
    path = folder / "tokenizer_config.json"
    path.write_text(path.read_text().replace('"do_lower_case": true', '"do_lower_case": false'))
    with pytest.raises(InputError, match="cannot be told"):
        load_tokenizer(folder)


def refusal(folder):
    with pytest.raises(InputError) as caught:
        load_tokenizer(folder)
    return str(caught.value)


@pytest.mark.parametrize("name", ["tokenizer_config.json", "special_tokens_map.json", "added_tokens.json"])
def test_settings_that_are_not_json_are_refused(folder, name):
    (folder / name).write_text("{")
    assert refusal(folder) == (
        f"{folder}/{name}: not valid JSON: Expecting property name enclosed in double quotes: line 1 column 2 (char 1)"
    )
    (folder / name).write_text("[]")
    assert refusal(folder) == f"{folder}/{name}: holds no JSON object"


def test_settings_that_make_no_sense_are_refused(folder):
    (folder / "tokenizer_config.json").write_text('{"mask_token": 5}')
    assert refusal(folder) == (
        f"{folder}/tokenizer.json with tokenizer_config.json cannot be read as a tokenizer: "
        "Special token mask_token has to be either str or AddedToken but got: <class 'int'>"
    )


def test_a_vocabulary_that_is_not_utf_8_is_refused(tmp_path):
    (tmp_path / "vocab.txt").write_bytes("[PAD]\n\u00e9\n".encode("latin-1"))
    assert refusal(tmp_path) == (
        f"{tmp_path}/vocab.txt cannot be read as a tokenizer: "
        "Error while initializing WordPiece: stream did not contain valid UTF-8"
    )
