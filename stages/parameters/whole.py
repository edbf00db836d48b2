"""params.yaml as a whole."""

from typing import Annotated

from pydantic import Field

from stages.parameters.compute import Compute
from stages.parameters.corpus import Pack, PrepareCorpus
from stages.parameters.initialize import Initialize
from stages.parameters.keep import Shrink
from stages.parameters.runtime import Benchmark, Export
from stages.parameters.section import Name, Section
from stages.parameters.sources import Source
from stages.parameters.task import Task
from stages.parameters.training import Distill, Pretrain


class Whole(Section):
    compute: Compute
    sources: dict[Name, Source]
    prepare_corpus: PrepareCorpus
    initialize: Initialize
    pack: Pack
    pretrain: Pretrain
    shrink: Shrink
    distill: Distill
    export: Export
    benchmark: Benchmark
    tasks: Annotated[dict[Name, Task], Field(min_length=1)]
