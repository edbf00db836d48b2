"""Bring one source in, once.

In: the installed packages or the Hugging Face hub, as `sources.NAME` says. Out: data/raw/NAME.
"""

from importlib import import_module

from stages.parameters.section import Section
from stages.parameters.sources import Source
from stages.pipeline.outputs import whole_folder
from stages.pipeline.progress import say
from stages.pipeline.stage import Run, run


class Parameters(Section):
    source: Source


def main(p: Parameters, run: Run) -> None:
    kind = f"stages.sources.{p.source.kind}"
    options = import_module(f"{kind}.options").Options.model_validate(p.source.options)
    with whole_folder(f"data/raw/{run.key}") as folder:
        import_module(f"{kind}.source").write(folder, options=options)
        size = sum(file.stat().st_size for file in folder.rglob("*") if file.is_file())
    say(f"data/raw/{run.key}: {size / 1e6:.1f} MB")


if __name__ == "__main__":
    run(main, Parameters)
