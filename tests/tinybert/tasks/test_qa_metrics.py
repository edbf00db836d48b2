import pytest

from tinybert.tasks.protocol import scores
from tinybert.tasks.qa import metrics as qa


def row(*answers: str) -> dict:
    return {"answers": [{"text": text, "start": 0} for text in answers]}


@pytest.mark.parametrize(
    ("text", "normalized"),
    [
        ("The  Cat!", "cat"),
        ("an apple, a day", "apple day"),
        ("theatre banana", "theatre banana"),
        ("U.S.A.", "usa"),
        ("rock-a-bye", "rockabye"),
        ("a-b the\tc", "ab c"),
        ("\u201ca\u201d", "\u201c \u201d"),
        ("The", ""),
    ],
)
def test_normalize_is_lower_case_without_punctuation_articles_and_surplus_space(text, normalized):
    assert qa.normalize(text) == normalized


@pytest.mark.parametrize(
    ("prediction", "gold", "exact", "f1"),
    [
        ("the Cat.", row("cat"), 1, 1),
        ("big cat", row("cat"), 0, 2 * (1 / 2) * 1 / (1 / 2 + 1)),
        ("cat cat", row("cat sat cat"), 0, 4 / 5),
        ("dog", row("cat"), 0, 0),
        ("big cat", row("dog", "cat", "big red cat"), 0, 4 / 5),
        ("", row(), 1, 1),
        ("cat", row(), 0, 0),
        ("", row("cat"), 0, 0),
        ("the", row(), 1, 1),
        ("cat", row("the", "cat"), 1, 1),
        ("", row("the"), 1, 1),
    ],
)
def test_a_predictions_scores_are_the_hand_worked_ones(prediction, gold, exact, f1):
    two = scores(qa, [prediction], [gold], labels=[])
    assert tuple(two) == qa.NAMES
    assert two == pytest.approx({"f1": f1, "exact_match": exact})


def test_scores_are_means_over_questions():
    means = scores(qa, ["cat", "big dog", ""], [row("cat"), row("dog"), row("x")], labels=[])
    assert means == pytest.approx({"f1": (1 + 2 / 3) / 3, "exact_match": 1 / 3})


def test_baseline_is_the_contexts_first_sentence_or_nothing_where_most_of_train_has_no_answer():
    rows = [{"context": " One two. Three!"}, {"context": "v1.2 is out"}]
    assert qa.baseline([row("x"), row()], rows) == ["One two.", "v1.2 is out"]
    assert qa.baseline([row("x"), row(), row()], rows) == ["", ""]
