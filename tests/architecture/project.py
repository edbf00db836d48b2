"""A copy of the project in which everything seems to have run, to ask DVC what a change would run again."""

import copy
import json
import pickle
import shutil
from collections.abc import Collection, Iterator
from contextlib import chdir, contextmanager
from pathlib import Path
from typing import Any

import networkx as nx
import pytest
from dvc.output import Output
from dvc.repo import Repo
from dvc.stage import PipelineStage, Stage
from dvc.utils import strictyaml
from dvc.utils.serialize import _yaml
from ruamel.yaml import YAML

from stages.parameters.kinds import source_kinds, task_kinds
from stages.pipeline.parameters import read_file
from tests.architecture.closure import LEFT_OUT, ROOT, Kinds, closure

CONFIG = "[core]\nno_scm = true\nanalytics = false\ncheck_update = false\nsite_cache_dir = {site}\n"
PARSED: dict[str, bytes] = {}
"""What a YAML text holds, pickled, since DVC may change what it is given."""


class Project:
    """The working directory has to be its folder: dvc.yaml is resolved there."""

    def __init__(self, folder: Path, parameters: dict[str, Any]) -> None:
        self.folder = folder
        self.parameters = parameters
        self.known: dict[tuple[str, str], bool] = {}
        (folder / ".dvc").mkdir(parents=True)
        (folder / ".dvc/config").write_text(CONFIG.format(site=folder.parent / "site"))
        for name in ("dvc.yaml", ".dvcignore"):
            shutil.copy(ROOT / name, folder)
        shutil.copytree(ROOT / "stages", folder / "stages", ignore=shutil.ignore_patterns("__pycache__"))
        self.write(parameters)
        self.repo = Repo(str(folder))

    def write(self, parameters: dict[str, Any]) -> None:
        text = json.dumps(parameters)  # JSON is YAML, and a number keeps its type
        (self.folder / "params.yaml").write_text(text)
        PARSED[text] = pickle.dumps(parameters)

    def pretend(self) -> None:
        """Make every output, with any content, and have DVC record that all stages ran."""
        outputs = {Path(out.fs_path) for stage in self.stages().values() for out in stage.outs}
        for file in outputs:
            self.fake(file)
        with chdir(self.folder):
            self.repo.commit(force=True)

    def fake(self, path: Path) -> None:
        """A file where the name has a suffix, else a folder with all that a stage could read in it."""
        if path.suffix or path.name == "checked":
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(f"as {path.name} was\n")
        else:
            for part in ("", "corpus", *self.parameters["tasks"]):
                (path / part).mkdir(parents=True, exist_ok=True)
                (path / part / "part").write_text(f"as {path.name}/{part} was\n")

    def stages(self) -> dict[str, Stage]:
        """The stages of dvc.yaml by name, one for each task and source, without what `dvc add` made."""
        return {_name(stage): stage for stage in self.repo.index.stages if stage.cmd}

    def code(self, stage: str, *, left_out: Collection[str] = LEFT_OUT) -> set[str]:
        """The code that the script of the stage imports, for the kind of its task or source."""
        script, _, key = stage.partition("@")
        if script == "check":
            kinds: Kinds = {"source": source_kinds(), "task": task_kinds()}
        elif script == "fetch":
            kinds = {"source": [self.parameters["sources"][key]["kind"]]}
        else:
            kinds = {"task": [self.parameters["tasks"][key]["kind"]]} if key else {}
        return closure(f"stages/{script}.py", kinds=kinds, left_out=left_out)

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
        path = self.folder / file
        before = path.read_bytes()
        path.write_bytes(before + text.encode())
        self._forget(path)
        try:
            yield
        finally:
            path.write_bytes(before)
            self._forget(path)

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
        self.known = {key: differs for key, differs in self.known.items() if not path.is_relative_to(key[0])}

    def rerun(self) -> set[str]:
        """The stages that are dirty, and all that follow from them; but nothing follows from `check`, whose output
        is always the same."""
        graph = self.repo.index.graph
        names = {_name(stage): stage for stage in graph}
        dirty = self.dirty()
        followers = (nx.ancestors(graph, names[name]) for name in dirty - {"check"})
        return dirty.union(*({_name(stage) for stage in stages} for stages in followers))


def params_yaml() -> dict[str, Any]:
    return read_file(ROOT / "params.yaml")


def every_kind() -> dict[str, Any]:
    """params.yaml with a task of each kind, a source of each kind, and data of the user's own in every place for it."""
    parameters = params_yaml()
    parameters["prepare_corpus"]["source"] = "data/raw/mine"
    parameters["initialize"] = {"source": "data/raw/checkpoint", "scratch": None}
    options = {"repository": "someone/something", "type": "dataset", "revision": "0" * 40}
    parameters["sources"]["squad"] = {"kind": "hub", "options": options}
    scores = copy.deepcopy(parameters["tasks"]["library"])
    scores |= {"kind": "regression", "metric": "pearson"}
    scores["data"]["source"] = "data/raw/ratings.csv"
    parameters["tasks"]["scores"] = scores
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
