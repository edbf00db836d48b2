"""A copy of the project in which everything seems to have run, to ask DVC what a change would run again."""

import copy
import json
import pickle
import shutil
from collections.abc import Callable, Iterator
from contextlib import chdir, contextmanager
from functools import cache
from pathlib import Path
from typing import Any, ClassVar

import networkx as nx
import pytest
from dvc.output import Output
from dvc.repo import Repo
from dvc.stage import PipelineStage, Stage
from dvc.utils import strictyaml
from dvc.utils.serialize import _yaml
from ruamel.yaml import YAML

from stages.parameters.validation import read_file
from stages.parameters.whole import validate_whole
from stages.pipeline import plan
from stages.pipeline.closure import PACKAGES, Closure, Code

ROOT = Path(__file__).parents[2]
CONFIG = "[core]\nno_scm = true\nanalytics = false\ncheck_update = false\nsite_cache_dir = {site}\n"
PARSED: dict[str, bytes] = {}
"""What a YAML text holds, pickled, since DVC may change what it is given."""


class CodeReadOnce(Code):
    """Code that reads a file again only where its content is new: a test changes one file of them all."""

    known: ClassVar[dict[tuple[str, str, bytes], Any]] = {}

    def __init__(self, root: Path = Path()) -> None:
        """While the files in `root` stay as they are."""
        super().__init__(root)
        self._closure, self._direct = cache(super().closure), cache(super()._direct_dependencies)

    def closure(self, script: str, *, kind: str | None = None) -> Closure:
        return self._closure(script, kind=kind)

    def _direct_dependencies(self, file: str, kind: str | None) -> list[str]:
        return self._direct(file, kind)

    def _read_hash(self, file: str) -> str:
        return self._once("hash", file, super()._read_hash)

    def _read_imports(self, file: str) -> tuple[list[str], list[str], list[str]]:
        return self._once("imports", file, super()._read_imports)

    def _once(self, what: str, file: str, read: Callable[[str], Any]) -> Any:
        key = (what, file, (self._root / file).read_bytes())
        if key not in self.known:
            self.known[key] = read(file)
        return self.known[key]


class Project:
    """The working directory has to be its folder: dvc.yaml is resolved there."""

    def __init__(self, folder: Path, parameters: dict[str, Any]) -> None:
        self.folder, self.parameters = folder, parameters
        self.known: dict[tuple[str, str], bool] = {}
        (folder / ".dvc").mkdir(parents=True)
        (folder / ".dvc/config").write_text(CONFIG.format(site=folder.parent / "site"))
        for name in ("dvc.yaml", ".dvcignore"):
            shutil.copy(ROOT / name, folder)
        for package in PACKAGES:
            shutil.copytree(ROOT / package, folder / package, ignore=shutil.ignore_patterns("__pycache__"))
        self.code = CodeReadOnce(folder)
        self.write(parameters)
        self.repo = Repo(str(folder))

    def write(self, parameters: dict[str, Any]) -> None:
        """params.yaml, and what `plan` makes of it."""
        text = json.dumps(parameters)  # JSON is YAML, and a number keeps its type
        (self.folder / "params.yaml").write_text(text)
        PARSED[text] = pickle.dumps(parameters)
        shutil.rmtree(self.folder / plan.FOLDER, ignore_errors=True)
        for file, content in plan.files(*validate_whole(parameters), self.code).items():
            (self.folder / file).parent.mkdir(parents=True, exist_ok=True)
            (self.folder / file).write_text(content)
        self._forget(self.folder / plan.FOLDER)

    def pretend(self) -> None:
        """Make every output, with any content, and have DVC record that all stages ran."""
        outputs = {Path(out.fs_path) for stage in self.stages().values() for out in stage.outs}
        for path in outputs - {self.folder / plan.FOLDER}:
            self.fake(path)
        with chdir(self.folder):
            self.repo.commit(force=True)

    def fake(self, path: Path) -> None:
        """A file where the name has a suffix, else a folder with all that a stage could read in it."""
        if path.suffix:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(f"as {path.name} was\n")
        else:
            for part in ("", "corpus", *self.parameters["tasks"]):
                (path / part).mkdir(parents=True, exist_ok=True)
                (path / part / "part").write_text(f"as {path.name}/{part} was\n")

    def stages(self) -> dict[str, Stage]:
        """The stages of dvc.yaml by name, one for each task, student and source, without what `dvc add` made."""
        return {_name(stage): stage for stage in self.repo.index.stages if stage.cmd}

    def _names_other_tasks(self) -> bool:
        return read_file(self.folder / "params.yaml")["task_texts"] != self.parameters["task_texts"]

    def kind(self, stage: str) -> str | None:
        """Of the stage's task or source, if its script imports by kind."""
        script, _, key = stage.partition("@")
        section = {"fetch": "sources"}.get(script, "tasks" if script in plan.KIND_SPECIFIC else None)
        return self.parameters[section][key.partition("-")[0]]["kind"] if section else None

    @contextmanager
    def changed(self, parameters: dict[str, Any]) -> Iterator[None]:
        """The project with other parameters, for a while."""
        self.write(parameters)
        self.repo._reset()
        try:
            yield
        finally:
            self.write(self.parameters)
            self.repo._reset()

    @contextmanager
    def appended(self, file: str, text: str) -> Iterator[None]:
        """The project with a longer file, for a while."""
        path, code = self.folder / file, self.code
        before = path.read_bytes()
        self._write(path, before + text.encode(), CodeReadOnce(self.folder))
        try:
            yield
        finally:
            self._write(path, before, code)

    def _write(self, path: Path, content: bytes, code: Code) -> None:
        path.write_bytes(content)
        self._forget(path)
        if path.relative_to(self.folder).parts[0] in PACKAGES:
            self.code = code
            self.write(self.parameters)

    def dirty(self) -> set[str]:
        """The stages that read or wrote something that has changed, as DVC sees it."""
        # What Stage.changed does, without a lock file for each stage.
        return {
            _name(stage)
            for stage in self.repo.index.stages
            if stage.changed_stage() or any(self._differs(item) for item in (*stage.deps, *stage.outs))
        }

    def _differs(self, item: Output) -> bool:
        """Whether a dependency or output is not what DVC recorded; of a file that stays, asked once."""
        if Path(item.fs_path) == self.folder / "params.yaml":
            return bool(item.status())
        key = (item.fs_path, str(item.hash_info))
        if key not in self.known:
            self.known[key] = bool(item.status())
        return self.known[key]

    def _forget(self, path: Path) -> None:
        """What was known of `path`, of folders that hold it, and of files in it."""
        self.known = {
            key: differs
            for key, differs in self.known.items()
            if not path.is_relative_to(key[0]) and not Path(key[0]).is_relative_to(path)
        }

    def rerun(self) -> set[str]:
        """The stages that are dirty, and all that follow from them.

        What follows from `plan` reads a file of it. `task_texts` follows from every task, but writes the same bytes
        as long as it names none; `gather` follows from every student, and always writes the same.
        """
        graph = self.repo.index.graph
        same = {"gather"} if self._names_other_tasks() else {"gather", "task_texts"}
        graph = nx.restricted_view(graph, [], [edge for edge in graph.edges if _name(edge[1]) in same])
        names = {_name(stage): stage for stage in graph}
        dirty = self.dirty()
        followers = (nx.ancestors(graph, names[name]) for name in dirty - {"plan"})
        return dirty.union(*({_name(stage) for stage in stages} for stages in followers))


def params_yaml() -> dict[str, Any]:
    return read_file(ROOT / "params.yaml")


def every_kind() -> dict[str, Any]:
    """params.yaml with a task and a source of each kind, two students, and data of the user's own where it can be."""
    parameters = params_yaml()
    parameters["prepare_corpus"]["source"] = "data/raw/mine"
    parameters["initialize"] = {"source": "data/raw/checkpoint", "scratch": None}
    options = {"repository": "someone/something", "type": "dataset", "revision": "0" * 40}
    parameters["sources"]["squad"] = {"kind": "hub", "options": options}
    parameters["students"]["wide"] = parameters["students"]["small"] | {"hidden_size": 192}
    scores = copy.deepcopy(parameters["tasks"]["library"]) | {"kind": "regression", "metric": "pearson"}
    scores["data"]["source"] = "data/raw/ratings.csv"
    parameters["tasks"]["scores"] = scores
    topics = copy.deepcopy(scores) | {"kind": "multilabel", "metric": "f1_micro"}
    topics["data"] |= {"source": "data/raw/topics.csv", "columns": {"text": "text", "labels": "labels"}}
    parameters["tasks"]["topics"] = topics
    return parameters


def _name(stage: Stage) -> str:
    """Of a stage of dvc.yaml its name there; of what `dvc add` made, the .dvc file."""
    return str(stage.name) if isinstance(stage, PipelineStage) else stage.path_in_repo


@contextmanager
def yaml_read_once() -> Iterator[None]:
    """DVC parses params.yaml anew for each stage, a second in all; here the same text is parsed once."""

    def parse_yaml(text: str, path: str, typ: str = "safe") -> Any:
        return pickle.loads(_parsed(text)) if typ == "safe" else YAML(typ=typ).load(text)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(_yaml, "parse_yaml", parse_yaml)
        patch.setattr(strictyaml, "parse_yaml", parse_yaml)
        yield


def _parsed(text: str) -> bytes:
    if text not in PARSED:
        PARSED[text] = pickle.dumps(YAML(typ="safe").load(text) or {})
    return PARSED[text]
