"""dvc.yaml lists exactly the code that each stage imports, and rooms import each other only as drawn here."""

import ast
import subprocess
import sys
from pathlib import Path
from textwrap import dedent

import pytest
from dvc.dependency import ParamsDependency

from stages.parameters.kinds import source_kinds, task_kinds
from tests.architecture.closure import LEFT_OUT, ROOT, closure, dynamic, imports, tree
from tests.architecture.project import Project

pytestmark = pytest.mark.filterwarnings("ignore:_NoneStep.value:DeprecationWarning")  # DVC's own use of pygtrie

FILES = sorted(
    path.relative_to(ROOT).as_posix()
    for path in (ROOT / "stages").rglob("*")
    if path.is_file() and "__pycache__" not in path.parts
)
PYTHON = [file for file in FILES if file.endswith(".py")]
SCRIPTS = [file for file in PYTHON if file.count("/") == 1 and not file.endswith("__init__.py")]

MAY_IMPORT = {
    ".": {"pipeline/parent"},
    "analysis": {"metrics/ner", "metrics/qa"},
    "model": {"pipeline/errors", "pipeline/json_file", "pipeline/trouble"},
    "parameters": {"model/layers", "pipeline/errors"},
    "reporting": {"runtime/files"},
    "sources/documentation": {"pipeline/errors", "pipeline/parent"},
    "sources/hub": {"pipeline/errors"},
    "tasks": {"model/attention", "pipeline/errors"},
    "text": {"pipeline/errors", "pipeline/json_file", "pipeline/trouble"},
    "training": {
        "model/states",
        "parameters/task",
        "pipeline/errors",
        "pipeline/progress",
        "pipeline/resume",
        "tasks/tables",
        "text/masking",
    },
}
"""What rooms import of other rooms. A room that is not here imports none."""

WITHOUT_TORCH = ["check", "fetch", "pack", "prepare_corpus", "prepare_task", "report"]


def test_every_stage_declares_the_code_that_it_imports(own: Project) -> None:
    # The work of `check` is to validate, so that for it alone the parameter models are code like any other.
    for_check = set(LEFT_OUT) - {"stages/parameters"}
    imported = {stage: own.code(stage, left_out=for_check if stage == "check" else LEFT_OUT) for stage in own.stages()}
    assert {stage: declared_code(own, stage) for stage in own.stages()} == imported


def declared_code(project: Project, stage: str) -> set[str]:
    """Files under stages/ that dvc.yaml lists for the stage; of a folder all that DVC sees in it and is not empty."""
    code: set[str] = set()
    for dependency in project.stages()[stage].deps:
        path = Path(dependency.fs_path)
        if not isinstance(dependency, ParamsDependency) and path.is_relative_to(project.folder / "stages"):
            inside = [path] if path.is_file() else [file for file in path.rglob("*") if file.is_file()]
            code |= {file.relative_to(project.folder).as_posix() for file in inside if file.stat().st_size}
    return code


def test_every_kind_is_tried(own: Project) -> None:
    assert {task["kind"] for task in own.parameters["tasks"].values()} == set(task_kinds())
    assert {source["kind"] for source in own.parameters["sources"].values()} == set(source_kinds())


def test_every_file_is_reached_from_some_stage(own: Project) -> None:
    reached = set().union(*(own.code(stage, left_out=()) for stage in own.stages()))
    assert reached == {file for file in FILES if (ROOT / file).stat().st_size}


def test_every_script_is_a_stage(own: Project) -> None:
    stages = {stage.partition("@")[0]: own.stages()[stage].cmd for stage in own.stages()}
    assert stages == {Path(file).stem: f"exec python -m stages.{Path(file).stem}" for file in SCRIPTS}


def test_init_files_are_empty_but_one() -> None:
    filled = {file for file in PYTHON if file.endswith("__init__.py") and (ROOT / file).stat().st_size}
    assert filled == {"stages/__init__.py"}


def test_what_is_left_out_is_there_and_has_a_reason() -> None:
    assert all((ROOT / place).exists() and len(reason) > 20 for place, reason in LEFT_OUT.items())


def test_only_scripts_and_the_scorer_import_by_name_and_nothing_loads_code_another_way() -> None:
    assert {file for file in PYTHON if dynamic(file)} <= {*SCRIPTS, "stages/training/scoring.py"}
    other_ways = {"__import__", "exec", "eval", "runpy", "importlib.util", "importlib.machinery"}
    assert {file: found for file in PYTHON if (found := _words(file) & other_ways)} == {}


def _words(file: str) -> set[str]:
    """Names and dotted names that the file uses or imports; `model.eval` is not the word `eval`."""
    words: set[str] = set()
    for node in ast.walk(tree(file)):
        if isinstance(node, ast.Name | ast.Attribute):
            words.add(ast.unparse(node))
        elif isinstance(node, ast.Import):
            words |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            words |= {node.module or "", *(f"{node.module}.{alias.name}" for alias in node.names)}
    return words


def test_nothing_imports_a_script() -> None:
    assert {file: found for file in PYTHON if (found := imports(file) & set(SCRIPTS))} == {}


def test_rooms_import_each_other_only_as_drawn() -> None:
    found: dict[str, set[str]] = {}
    for file in set(PYTHON) - set(SCRIPTS):
        room = _room(file)
        found.setdefault(room, set()).update(
            other.removeprefix("stages/").removesuffix(".py") for other in imports(file) if _room(other) != room
        )
    assert {room: modules for room, modules in found.items() if modules} == MAY_IMPORT


def _room(file: str) -> str:
    return Path(file).parent.relative_to("stages").as_posix()


def test_stages_that_need_no_torch_do_not_import_it() -> None:
    kinds = [f"tasks.{kind}_rows" for kind in task_kinds()] + [f"metrics.{kind}" for kind in task_kinds()]
    kinds += [f"sources.{kind}.{part}" for kind in source_kinds() for part in ("options", "source")]
    names = [f"stages.{name}" for name in [*WITHOUT_TORCH, *kinds]]
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
        from stages.text.documents import Writer
        from stages.text.tokenizer import build_tokenizer, save_tokenizer
        for folder in ("data/corpus", "models/tokenizer"):
            Path(folder).mkdir(parents=True)
        vocabulary = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "word"]
        tokenizer = build_tokenizer(vocabulary, lowercase=True, max_length=64)
        save_tokenizer(tokenizer, folder=Path("models/tokenizer"))
        for split in ("train", "heldout"):
            with Writer(Path("data/corpus") / f"{{split}}.parquet") as corpus:
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


def test_a_page_beside_a_module_is_part_of_its_closure() -> None:
    beside = {f"stages/reporting/{name}" for name in ("base.html", "page.html", "parts.html", "style.css")}
    modules = {"stages/reporting/page.py", "stages/reporting/formats.py"}
    assert closure("stages/reporting/page.py", kinds={}) == modules | beside


def test_an_import_by_kind_is_part_of_the_closure() -> None:
    found = closure("stages/fetch.py", kinds={"source": ["hub"]})
    assert found == {"stages/fetch.py", "stages/sources/hub/options.py", "stages/sources/hub/source.py"}
