"""Each stage depends on the file of the plan that holds its code, and packages import each other only as drawn here."""

import ast
import subprocess
import sys
from functools import cache
from pathlib import Path
from textwrap import dedent

import pytest

from stages.parameters.section import source_kinds, task_kinds
from stages.pipeline.closure import EXCLUDED, PACKAGES, Code, dump, is_excluded
from stages.pipeline.plan import KIND_SPECIFIC
from tests.architecture.project import ROOT, Project
from tinybert.errors import InputError

pytestmark = pytest.mark.filterwarnings("ignore:_NoneStep.value:DeprecationWarning")  # DVC's own use of pygtrie

OTHERS = ("benchmarks", "tests", "tools")
FILES = sorted(
    path.relative_to(ROOT).as_posix()
    for package in PACKAGES
    for path in (ROOT / package).rglob("*")
    if path.is_file() and "__pycache__" not in path.parts
)
PYTHON = [file for file in FILES if file.endswith(".py")]
SCRIPTS = [file for file in PYTHON if file.startswith("stages/") and file.count("/") == 1 and "__init__" not in file]
FOR_PEOPLE = {"tinybert/cli.py", *(f"tinybert/inference/{name}.py" for name in ("command", "networks", "predictor"))}
"""Of the library, what no stage needs to run: the command, and the use of a finished model."""

LAYERS = [
    {"tinybert.atomic", "tinybert.errors"},
    {"tinybert.files"},
    {"tinybert.data"},
    {"tinybert.model"},
    {"tinybert.training"},
    {"tinybert.pretraining"},
    {"tinybert.pruning"},
    {"tinybert.distillation"},
    {"tinybert.tasks"},
    {"tinybert.evaluation", "tinybert.finetuning"},
    {"tinybert.export"},
    {"tinybert.inference", "tinybert.reporting"},
    {"tinybert.cli"},
    {"demonstration"},
    {"stages.parameters"},
    {"stages.pipeline"},
    {"stages.sources"},
    {"stages"},
    {"tools"},
    {"benchmarks"},
    {"tests"},
]
"""Packages of one layer may import those of layers above it in this list, and no other."""
WITHOUT_TORCH = ["plan", "fetch", "pack", "prepare_corpus", "prepare_task", "floor", "report"]


def test_every_stage_depends_on_the_one_file_of_the_plan_that_holds_its_code(own: Project) -> None:
    for name, stage in own.stages().items():
        script, _, key = name.partition("@")
        by_kind = script in KIND_SPECIFIC or script == "fetch"
        code = [Path(dep.fs_path).relative_to(own.folder).as_posix() for dep in stage.deps]
        expected = f"plan/code/{script}/{key.partition('-')[0]}.json" if by_kind else f"plan/code/{script}.json"
        assert [path for path in code if path.startswith("plan/code")] == ([] if name == "plan" else [expected])


def test_the_plan_depends_on_all_code(own: Project) -> None:
    names = {Path(dep.fs_path).name for dep in own.stages()["plan"].deps}
    assert names == {"params.yaml", *PACKAGES}


def test_every_kind_is_tried(own: Project) -> None:
    assert {task["kind"] for task in own.parameters["tasks"].values()} == set(task_kinds())
    assert {source["kind"] for source in own.parameters["sources"].values()} == set(source_kinds())


def test_every_file_is_reached_from_some_stage_or_left_out_with_a_reason(own: Project) -> None:
    scripts = {stage: f"stages/{stage.partition('@')[0]}.py" for stage in own.stages()}
    reached = set().union(*(own.code.closure(script, kind=own.kind(stage)) for stage, script in scripts.items()))
    rest = {file for file in FILES if (ROOT / file).stat().st_size and not is_excluded(file)} - reached
    assert rest == FOR_PEOPLE
    assert all((ROOT / place).exists() and len(reason) > 20 for place, reason in EXCLUDED.items())


def test_every_script_is_a_stage(own: Project) -> None:
    stages = {stage.partition("@")[0]: own.stages()[stage].cmd for stage in own.stages()}
    assert stages == {Path(file).stem: f"exec python -m stages.{Path(file).stem}" for file in SCRIPTS}


def test_init_files_are_empty_but_one() -> None:
    filled = {file for file in PYTHON if file.endswith("__init__.py") and (ROOT / file).stat().st_size}
    assert filled == {"stages/__init__.py"}  # a stage dies with dvc also while it imports


def test_nothing_loads_code_in_a_way_that_the_closure_does_not_see() -> None:
    other_ways = {"__import__", "exec", "eval", "runpy", "importlib.util", "importlib.machinery"}
    assert {file: words for file in PYTHON if (words := _words(file) & other_ways)} == {}
    renamed = [node for file in PYTHON for node in ast.walk(tree(file)) if isinstance(node, ast.ImportFrom)
               and node.module == "importlib" and [alias for alias in node.names if alias.asname]]  # fmt: skip
    assert not renamed, "the closure looks for calls of import_module by this name"


def _words(file: str) -> set[str]:
    """Names and dotted names that the file uses or imports; `model.eval` is not the word `eval`."""
    words: set[str] = set()
    for node in ast.walk(tree(file)):
        if isinstance(node, ast.Name | ast.Attribute):
            words.add(ast.unparse(node))
    return words | imports(file)


@cache
def tree(file: str) -> ast.Module:
    return ast.parse((ROOT / file).read_text(encoding="utf-8"))


@cache
def imports(file: str) -> frozenset[str]:
    """Modules and names that `file` imports anywhere in it, dotted."""
    names: set[str] = set()
    for node in ast.walk(tree(file)):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            names |= {node.module or "", *(f"{node.module}.{alias.name}" for alias in node.names)}
    return frozenset(names)


def test_nothing_but_tests_imports_a_script() -> None:
    scripts = {file.removesuffix(".py").replace("/", ".") for file in SCRIPTS}
    assert {file: found for file in PYTHON if (found := imports(file) & scripts)} == {}


def test_packages_import_only_those_of_layers_above_them() -> None:
    others = [path.relative_to(ROOT).as_posix() for package in OTHERS for path in (ROOT / package).rglob("*.py")]
    level = {package: number for number, layer in enumerate(LAYERS) for package in layer}
    wrong = {
        f"{file} imports {name}"
        for file in [*PYTHON, *others]
        for name in imports(file)
        if (source := _package(file.removesuffix(".py").replace("/", "."))) and (target := _package(name))
        if target != source
        if level[target] >= level[source]
    }
    assert wrong == set()


def _package(name: str) -> str | None:
    """The entry of LAYERS that a dotted name belongs to; None for a module of others."""
    parts = name.split(".")
    known = set().union(*LAYERS)
    return next((package for size in (2, 1) if (package := ".".join(parts[:size])) in known), None)


def test_stages_that_need_no_torch_do_not_import_it() -> None:
    names = [f"stages.{name}" for name in WITHOUT_TORCH]
    names += [f"tinybert.tasks.{kind}.{part}" for kind in task_kinds() for part in ("rows", "metrics")]
    names += [f"stages.sources.{kind}" for kind in source_kinds()] + ["tinybert.export.runtime", "tinybert.cli"]
    run_python(f"""
        import sys
        from importlib import import_module
        for name in {names!r}:
            import_module(name)
            assert "torch" not in sys.modules, name
    """)


def test_packing_runs_without_torch(tmp_path: Path) -> None:
    run_python(
        f"""
        import sys
        from pathlib import Path
        sys.path.insert(0, {str(ROOT)!r})
        from stages import pack
        from tinybert.data.documents import Writer
        from tinybert.data.tokenizer import build_tokenizer, save_tokenizer
        for folder in ("data/corpus", "models/tokenizer"):
            Path(folder).mkdir(parents=True)
        vocabulary = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "word"]
        tokenizer = build_tokenizer(vocabulary, lowercase=True, max_length=64)
        save_tokenizer(tokenizer, folder=Path("models/tokenizer"))
        for split in ("train", "heldout"):
            with Writer(Path("data/corpus") / split / "00000.parquet") as corpus:
                corpus.add("word " * 99)
        pack.main(pack.Parameters.model_validate({{"pack": {{"sequence_length": 16}}}}), pack.Run("", Path("resume")))
        assert Path("data/packed/train.npy").is_file()
        assert "torch" not in sys.modules
        """,
        folder=tmp_path,
    )


def run_python(code: str, *, folder: Path = ROOT) -> None:
    done = subprocess.run([sys.executable, "-c", dedent(code)], cwd=folder, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_a_template_beside_a_module_is_part_of_its_closure() -> None:
    templates = {f"tinybert/reporting/{name}" for name in ("base.html", "page.html", "parts.html", "style.css")}
    assert templates <= Code(ROOT).closure("tinybert/reporting/page.py").keys()


def test_an_import_by_kind_is_part_of_the_closure() -> None:
    hub, documentation = (Code(ROOT).closure("stages/fetch.py", kind=kind) for kind in ("hub", "documentation"))
    assert {"stages/fetch.py", "stages/sources/hub.py", "tinybert/data/hub.py"} <= hub.keys()
    assert "demonstration/build.py" in documentation and not any("demonstration" in file for file in hub)


def test_code_saved_in_the_middle_of_an_edit_is_named(tmp_path: Path) -> None:
    (tmp_path / "stages").mkdir()
    with pytest.raises(InputError, match="^stages/script.py is not valid Python: .*No such file"):
        Code(tmp_path).closure("stages/script.py")
    (tmp_path / "stages/script.py").write_text("def main(:\n")
    with pytest.raises(InputError, match="^stages/script.py is not valid Python: invalid syntax"):
        Code(tmp_path).closure("stages/script.py")


def test_an_import_whose_module_cannot_be_told_is_refused(tmp_path: Path) -> None:
    (tmp_path / "stages").mkdir()
    (tmp_path / "stages/script.py").write_text("from importlib import import_module\nimport_module(name)\n")
    with pytest.raises(
        AssertionError, match="stages/script.py:2: import_module takes an f-string with one placeholder"
    ):
        Code(tmp_path).closure("stages/script.py", kind="ner")


@pytest.mark.parametrize(
    ("source", "same"),
    [
        ('def f(x: int) -> int:\n    """Double it."""\n    return 2 * x  # a comment\n', True),
        ("def f(x: int) -> int:\n\n    return 2 * x\n", True),
        ("def f(x: int) -> int:\n    return x * 2\n", False),
        ("def f(x: int) -> int:\n    return 2.0 * x\n", False),
        ('def f(x: int) -> int:\n    return "2" * x\n', False),
        ('def f(x: int) -> int:\n    return ["", 2 * x][1]\n', False),
    ],
)
def test_the_hash_sees_code_and_neither_comments_nor_docstrings_nor_layout(source: str, same: bool) -> None:
    plain = "def f(x: int) -> int:\n    return 2 * x\n"
    assert (dump(ast.parse(source)) == dump(ast.parse(plain))) is same


def test_the_dump_is_written_out_so_that_no_version_of_python_changes_it() -> None:
    assert dump(ast.parse("def f(*, x=1): return f'{x!r}'")) == (
        "Module(body=[FunctionDef(name='f', "
        "args=arguments(kwonlyargs=[arg(arg='x')], kw_defaults=[Constant(value=1)]), "
        "body=[Return(value=JoinedStr(values=[FormattedValue(value=Name(id='x', ctx=Load()), conversion=114)]))])])"
    )
