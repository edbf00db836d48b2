"""Numbers on disk, byte by byte."""

from pathlib import Path

import pytest

from stages.reporting.tables import write_curve, write_json


def test_json_has_sorted_keys_and_text_as_it_is(tmp_path: Path):
    write_json(tmp_path / "a", {"b": [1, 0.5], "a": {"z": None, "y": "\u00e9"}})
    wanted = '{\n  "a": {\n    "y": "\u00e9",\n    "z": null\n  },\n  "b": [\n    1,\n    0.5\n  ]\n}\n'
    assert (tmp_path / "a").read_bytes() == wanted.encode()


def test_json_has_no_numbers_that_are_none(tmp_path: Path):
    with pytest.raises(ValueError, match="not JSON compliant"):
        write_json(tmp_path / "a", {"loss": float("nan")})


def test_a_curve_has_a_column_for_each_key_and_nothing_where_a_row_lacks_it(tmp_path: Path):
    write_curve(tmp_path / "a", [{"step": 1, "loss": 0.25}, {"step": 2, "validation": 0.5}])
    assert (tmp_path / "a").read_bytes() == b"step\tloss\tvalidation\n1\t0.25\t\n2\t\t0.5\n"


def test_a_curve_without_rows_has_its_head(tmp_path: Path):
    write_curve(tmp_path / "a", [])
    assert (tmp_path / "a").read_bytes() == b"step\n"
