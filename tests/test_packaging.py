"""`pip install .` installs the library alone, and a model runs without torch; what `make fast` leaves out."""

import ast
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterable, Iterator
from importlib.metadata import packages_distributions
from itertools import chain
from pathlib import Path
from zipfile import ZipFile

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from benchmarks.clones import ROOT, clone, run

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
EVERYTHING: set[str] = {*PROJECT["dependencies"], *chain(*PROJECT["optional-dependencies"].values())}
WITHOUT_TORCH = (
    *("tinybert.cli", "tinybert.export.probe", "tinybert.export.runtime", "tinybert.inference.predictor"),
    *(f"tinybert.tasks.{kind}.encoding" for kind in ("classification", "multilabel", "ner", "qa", "regression")),
)
"""What works on the base dependencies."""
BLOCK = """
import sys

class Blocked:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in {blocked}:
            raise ModuleNotFoundError(f"No module named {{name!r}}", name=name)

sys.meta_path.insert(0, Blocked())
"""


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Built from the whole project without a network, and unpacked."""
    base = tmp_path_factory.mktemp("wheel")
    project = clone(base / "project")
    run(project, sys.executable, "-m", "pip", "wheel", ".", "--no-index", "--no-deps", "--no-build-isolation",
        "--quiet", "--disable-pip-version-check", "-w", str(base))  # fmt: skip
    (file,) = base.glob("*.whl")
    assert file.name == f"tinybert-{PROJECT['version']}-py3-none-any.whl"
    with ZipFile(file) as packed:
        packed.extractall(base / "unpacked")
    return base / "unpacked"


def files(folder: Path) -> set[str]:
    paths = (path for path in folder.rglob("*") if path.is_file() and "__pycache__" not in path.parts)
    return {path.relative_to(folder).as_posix() for path in paths}


def names_of(lines: Iterable[str]) -> set[str]:
    """The packages that these requirements name."""
    return {canonicalize_name(Requirement(line).name) for line in lines}


def test_the_wheel_holds_every_file_of_the_library_and_nothing_else(wheel: Path) -> None:
    (metadata,) = wheel.glob("*.dist-info")
    held = {name for name in files(wheel) if not name.startswith(metadata.name)}
    assert held == {f"tinybert/{name}" for name in files(ROOT / "tinybert")}
    assert {Path(name).suffix for name in held} == {".py", ".html", ".md", ".css"}
    assert (metadata / "licenses/LICENSE").read_text(encoding="utf-8").strip().startswith("Apache License")
    assert "License-Expression: Apache-2.0" in (metadata / "METADATA").read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def without_torch(wheel: Path) -> str:
    """The start of a program that has the unpacked wheel and of all other packages only those of the base."""
    extras = names_of(EVERYTHING) - names_of(PROJECT["dependencies"])
    blocked = {name for name, owners in packages_distributions().items() if extras & {*map(canonicalize_name, owners)}}
    assert {"torch", "transformers", "pydantic", "matplotlib", "onnx"} <= blocked
    return f"{BLOCK.format(blocked=sorted(blocked - {'tinybert'}))}\nsys.path.insert(0, {str(wheel)!r})\n"


def program(code: str, folder: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-c", code], cwd=folder, capture_output=True, text=True)


@pytest.mark.parametrize("module", WITHOUT_TORCH)
def test_a_module_for_using_models_is_imported_without_torch(module: str, without_torch: str, tmp_path: Path) -> None:
    done = program(f"{without_torch}import {module}; print({module}.__file__)", tmp_path)
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip().endswith(f"unpacked/{module.replace('.', '/')}.py")


@pytest.mark.parametrize(("folder", "code"), [("model", 0), ("empty", 2)])
def test_the_command_works_without_torch(folder: str, code: int, without_torch: str, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "model").mkdir()
    (tmp_path / "model/config.json").write_text('{"model_type": "bert", "num_hidden_layers": 3}')
    (tmp_path / "model/model.onnx").write_bytes(b"x" * 1234)
    module, _, function = PROJECT["scripts"]["tinybert"].partition(":")
    start = f"from {module} import {function}; sys.argv = ['tinybert', 'describe', {folder!r}]; sys.exit({function}())"
    done = program(without_torch + start, tmp_path)
    assert done.returncode == code, done.stderr
    assert ("1,234 bytes" in done.stdout, done.stderr.count("\n")) == (code == 0, code // 2)


def test_the_pipelines_pinned_versions_are_ones_that_the_library_takes() -> None:
    lines = re.findall(r"^([\w.-]+)==(\S+)$", (ROOT / "requirements.txt").read_text(encoding="utf-8"), re.MULTILINE)
    pins = {canonicalize_name(name): version for name, version in lines}
    requirements = [Requirement(line) for line in EVERYTHING if not line.startswith("tinybert[")]
    refused = [r for r in requirements if not r.specifier.contains(pins[canonicalize_name(r.name)])]
    assert len(requirements) > 10 and refused == []


def imported(file: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        names = [a.name for a in node.names] if isinstance(node, ast.Import) else []
        names += [node.module or ""] if isinstance(node, ast.ImportFrom) else []
        yield from (name.partition(".")[0] for name in names)


def test_what_the_library_imports_is_what_it_asks_for() -> None:
    names = {name for file in (ROOT / "tinybert").rglob("*.py") for name in imported(file)}
    others = names - set(sys.stdlib_module_names) - {"tinybert"}
    owners = packages_distributions()
    needed = {canonicalize_name(owner) for name in others for owner in owners.get(name, [name])}
    assert needed == names_of(EVERYTHING) - {"onnxscript", "tinybert"}  # torch.onnx imports onnxscript


def test_what_make_fast_leaves_out_is_there() -> None:
    lines = re.search(r"^SLOW := ((?:.*\\\n)*.*)$", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE)
    assert lines
    names = lines[1].replace("\\\n", " ").split()
    assert len(names) > 5 and [name for name in names if not (ROOT / "tests" / name).exists()] == []
