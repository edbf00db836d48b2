import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from filelock import FileLock
from playwright.sync_api import Browser

from benchmarks.clones import COMMIT, finished, run
from tests.browser import launched
from tests.readme import command

TESTS = Path(__file__).parent
FIRST = "pipeline_runs/test_quick.py"
LONG = ("sharing/test_round_trip.py", "pipeline_runs/test_faults.py", "pipeline_runs/test_damage.py")


def pytest_configure() -> None:
    """Each of pytest-xdist's workers keeps to cores of its own, as many as the others', where there are enough.

    `threads: auto` counts them. Threads that wait for a core which another worker's threads hold make a training
    several times slower.
    """
    if worker := os.environ.get("PYTEST_XDIST_WORKER"):
        cores, workers = sorted(os.sched_getaffinity(0)), int(os.environ["PYTEST_XDIST_WORKER_COUNT"])
        share = max(1, len(cores) // workers)
        first = int(worker.removeprefix("gw")) % workers * share % len(cores)
        os.sched_setaffinity(0, cores[first : first + share])


@pytest.fixture(scope="session")
def quick(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A clone of the project as it stands with the quick preset run and committed. Tests work in a copy of it."""
    return once(tmp_path_factory, "quick", finished)


@pytest.fixture(scope="session")
def another_depth(quick: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The finished project with a second commit, the README's experiment. Tests work in a copy of it.

    The output of `dvc exp run` and of `dvc metrics diff` before the commit is in .git/run and .git/diff.
    """

    def experiment(folder: Path) -> None:
        shutil.copytree(quick, folder, symlinks=True)
        for name, start in (("run", "dvc exp run"), ("diff", "dvc metrics diff")):
            (folder / ".git" / name).write_text(run(folder, *command(start)), encoding="utf-8")
        run(folder, *COMMIT, "Another depth")

    return once(tmp_path_factory, "another depth", experiment)


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    """A browser for the tests of a file, which skip where none is installed."""
    with launched() as browser:
        yield browser


def once(factory: pytest.TempPathFactory, name: str, make: Callable[[Path], object]) -> Path:
    """The folder that `make` fills, in the first of pytest-xdist's workers to need it."""
    base = factory.getbasetemp()
    place = (base.parent if "PYTEST_XDIST_WORKER" in os.environ else base) / name
    with FileLock(f"{place}.lock"):
        if not (place / "finished").exists():
            shutil.rmtree(place, ignore_errors=True)
            make(place / "a clone")
            (place / "finished").touch()
    return place / "a clone"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """FIRST makes `quick`; meanwhile another worker does what is fast. The rest follows, the longest first."""

    def rank(item: pytest.Item) -> int:
        file = item.path.relative_to(TESTS).as_posix()
        if file == FIRST:
            return -1
        if item.get_closest_marker("dvc") is None:
            return 0
        return 1 + (LONG.index(file) if file in LONG else len(LONG))

    items.sort(key=rank)
