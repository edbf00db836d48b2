from pathlib import Path

import pytest

from tinybert.tasks.tables import read_labels, write_labels


@pytest.mark.parametrize(("labels", "content"), [(["no", "\u00e9"], '["no", "\u00e9"]\n'), ([], "null\n")])
def test_labels_survive_the_file_which_has_null_for_none(tmp_path: Path, labels: list[str], content: str):
    write_labels(tmp_path, labels)
    assert (tmp_path / "labels.json").read_text(encoding="utf-8") == content
    assert read_labels(tmp_path) == labels
