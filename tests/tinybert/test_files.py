"""JSON files and tables, byte by byte."""

from pathlib import Path

import pytest

from tinybert.files import read_table, write_curve, write_json, write_table


def test_json_has_sorted_keys_and_text_as_it_is(tmp_path: Path) -> None:
    write_json(tmp_path / "a", {"b": [1, 0.5], "a": {"z": None, "y": "\u00e9"}})
    expected = '{\n  "a": {\n    "y": "\u00e9",\n    "z": null\n  },\n  "b": [\n    1,\n    0.5\n  ]\n}\n'
    assert (tmp_path / "a").read_bytes() == expected.encode()
    with pytest.raises(ValueError, match="not JSON compliant"):
        write_json(tmp_path / "a", {"loss": float("nan")})


def test_a_curve_has_a_column_for_each_key_and_nothing_where_a_row_lacks_it(tmp_path: Path) -> None:
    write_curve(tmp_path / "a", [{"step": 1, "loss": 0.25}, {"step": 2, "validation": 0.5}])
    assert (tmp_path / "a").read_bytes() == b"step\tloss\tvalidation\n1\t0.25\t\n2\t\t0.5\n"
    write_curve(tmp_path / "a", [])
    assert (tmp_path / "a").read_bytes() == b"step\n"


@pytest.mark.parametrize("label", ["a\tb", "a\nb", '"'])
def test_a_table_gives_back_what_went_in(tmp_path: Path, label: str) -> None:
    rows = [{"gold": label, "rows": "1"}, {"gold": "plain", "rows": "2"}]
    write_table(tmp_path / "a.tsv", ("gold", "rows"), rows)
    assert read_table(tmp_path / "a.tsv") == rows
