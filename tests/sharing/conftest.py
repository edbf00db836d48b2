import shutil
import tempfile
from collections.abc import Callable, Iterator
from itertools import count
from pathlib import Path
from random import Random

import pytest

from tests.sharing import pipeline
from tests.sharing.azure import azure
from tests.sharing.debian import apache, openssh
from tests.sharing.objects import Folder
from tests.sharing.remote import Remote
from tests.sharing.swift import swift
from tests.sharing.team import shell

SIZE = 6_000_000  # bytes of the one large file of `small`
NUMBERS = count()


def plain_folder(folder: Path) -> Remote:
    return Remote("bert", "A folder", {"/mnt/team/bert": str(folder / "bert")}, Folder(folder / "bert"))


KINDS: dict[str, Callable[[Path], Remote]] = {
    "folder": plain_folder,
    "ssh": openssh,
    "webdav": apache,
    "s3": swift,
    "azure": azure,
}


@pytest.fixture(scope="session")
def kind(request: pytest.FixtureRequest) -> Iterator[Remote]:
    """A kind of remote; its server runs."""
    with tempfile.TemporaryDirectory() as place:  # pytest's own folders are closed to the user that Apache runs as
        Path(place).chmod(0o755)
        remote = KINDS[request.param](Path(place))
        try:
            if remote.server is not None:
                remote.server.start()
            remote.objects.create()
            yield remote
        finally:
            if remote.server is not None:
                remote.server.kill()


@pytest.fixture
def remote(kind: Remote) -> Remote:
    """An empty remote."""
    return kind.fresh(f"bert{next(NUMBERS)}")


@pytest.fixture(scope="session")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A DVC project with a large file and a folder of small ones, committed."""
    folder = tmp_path_factory.mktemp("made") / "a project"
    (folder / "rows").mkdir(parents=True)
    chance = Random(1)
    (folder / "large.bin").write_bytes(chance.randbytes(SIZE))
    for name in ("ä.tsv", "b.tsv"):
        (folder / "rows" / name).write_bytes(chance.randbytes(1000))
    shell(folder, "git init -q -b main; dvc init -q; dvc config core.analytics false; dvc add -q large.bin rows")
    shell(folder, "git add -A; git commit -qm data")
    return folder


@pytest.fixture(scope="session")
def configured(made: Path, kind: Remote, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same with a kind of remote, set up by its recipe."""
    folder = shutil.copytree(made, tmp_path_factory.mktemp("configured") / "a project", symlinks=True)
    kind.set_up(folder)
    return folder


@pytest.fixture
def small(configured: Path, remote: Remote, tmp_path: Path) -> Path:
    """A copy of it whose remote is empty."""
    folder = shutil.copytree(configured, tmp_path / "small", symlinks=True)
    config = folder / ".dvc/config"
    config.write_text(config.read_text().replace("/bert", f"/{remote.name}"))
    shell(folder, "git commit -qam 'An empty remote'")
    return folder


@pytest.fixture(scope="session")
def pipeline_made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return pipeline.make(tmp_path_factory.mktemp("pipeline") / "a pipeline")


@pytest.fixture
def light(pipeline_made: Path, tmp_path: Path) -> Path:
    """A copy of a pipeline whose stages take milliseconds."""
    return shutil.copytree(pipeline_made, tmp_path / "light", symlinks=True)
