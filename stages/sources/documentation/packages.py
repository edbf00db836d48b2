"""Installed distributions: is the pinned version there, and which Python files does it bring."""

import importlib.metadata
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

from stages.pipeline.errors import InputError

# Folders of tests, and of other projects' code that a package carries along.
SKIPPED_FOLDERS = frozenset(
    "tests test _internal_testing _vendor vendor vendored externals _external third_party thirdparty "
    "array_api_compat array_api_extra cobyqa pyprima _uarray pocketfft pythoncapi_compat _testing".split()
)
SKIPPED_FILES = frozenset({"conftest.py", "setup.py", "_version.py", "version.py"})


def require(packages: dict[str, str]) -> None:
    """Check that every distribution is installed in its pinned version, a local part such as "+cpu" aside.

    Raises InputError naming all that differ: package, version found, version wanted.
    """
    problems = []
    for name, wanted in sorted(packages.items()):
        found = _installed_version(name)
        if found is None or _public(found) != _public(wanted):
            problems.append(f"{name}: found {found or 'no such package'}, wanted {wanted}")
    if problems:
        raise InputError(
            "the packages that documentation is read from are not the pinned ones:\n  "
            + "\n  ".join(problems)
            + "\ninstall the wanted versions, or write the installed ones into this source's `packages`"
        )


def python_sources(name: str) -> Iterator[tuple[str, str]]:
    """(dotted module name, source) of each Python file of a distribution, in the order of their paths."""
    distribution = importlib.metadata.distribution(name)
    paths = sorted(PurePosixPath(file.as_posix()) for file in distribution.files or [])
    for path in paths:
        if _is_documentation(path):
            source = Path(str(distribution.locate_file(path))).read_text(encoding="utf-8")
            yield _module_name(path), source


def import_names(name: str) -> list[str]:
    """The top-level names under which a distribution is imported, such as "sklearn" for scikit-learn."""
    files = importlib.metadata.distribution(name).files or []
    paths = [PurePosixPath(file.as_posix()) for file in files]
    packages = {path.parts[0] for path in paths if path.name == "__init__.py" and len(path.parts) == 2}
    return sorted(packages or {path.stem for path in paths if path.suffix == ".py" and len(path.parts) == 1})


def _installed_version(name: str) -> str | None:
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return None


def _public(version: str) -> str:
    return version.partition("+")[0]


def _is_documentation(path: PurePosixPath) -> bool:
    if path.suffix != ".py" or path.name in SKIPPED_FILES or ".." in path.parts:
        return False
    if "/testing/_internal/" in f"/{path}" or path.name.startswith("test_"):
        return False
    return SKIPPED_FOLDERS.isdisjoint(path.parts)


def _module_name(path: PurePosixPath) -> str:
    parts = path.with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)
