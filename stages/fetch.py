"""Bring one source in, once.

In: the installed packages or the Hugging Face hub, as `sources.NAME` says. Out: data/raw/NAME.
"""

from importlib import import_module

from stages.parameters.section import Section
from stages.parameters.sections import Source
from stages.pipeline.stage import Run, run
from tinybert.atomic import atomic_folder
from tinybert.training.progress import log


class Parameters(Section):
    source: Source


def main(p: Parameters, run: Run) -> None:
    kind = import_module(f"stages.sources.{p.source.kind}")
    with atomic_folder(f"data/raw/{run.key}") as folder:
        kind.write(folder, options=kind.Options.model_validate(p.source.options))
        size = sum(file.stat().st_size for file in folder.rglob("*") if file.is_file())
    log(f"data/raw/{run.key}: {size / 1e6:.1f} MB")


if __name__ == "__main__":
    run(main, Parameters)
