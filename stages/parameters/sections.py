"""Sections of params.yaml, but for `tasks` and `finetuning`."""

from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field, model_validator

from stages.parameters.section import (
    Fraction,
    Name,
    NotNegative,
    Path,
    Positive,
    Probability,
    Rate,
    Section,
    SourceKind,
    Temperature,
    TextEncoding,
    Weight,
)


class Compute(Section):
    """How every stage that uses torch computes."""

    threads: Literal["auto"] | Positive
    """CPU threads; `auto` takes all cores of this process. Another number changes the last bits of a result."""
    precision: Literal["auto", "float32", "bfloat16"]
    """Of matrix products; weights stay float32. `auto`: bfloat16 where it is the faster one, else float32."""


class Source(Section):
    """What `fetch` brings to data/raw/NAME."""

    kind: SourceKind
    options: dict[str, Any]
    """What the kind of source reads; see its module in stages/sources."""


class NearDuplicates(Section):
    """MinHash: texts whose shares of common n-grams are likely above (1 / num_buckets)^(1 / hashes_per_bucket)."""

    n_grams: Positive
    """Words in what is compared."""
    num_buckets: Positive
    hashes_per_bucket: Positive
    seed: NotNegative
    shards: Annotated[int, Field(ge=1, le=1000)]
    """Parts of the source, each read and written by one task; they decide the order of documents."""


class PrepareCorpus(Section):
    source: Path
    """Folder or file of texts: data/raw/NAME, a part of it, or a place outside the project."""
    config: str | None
    """Configuration of a data set in the hub's layout; null where there is one only."""
    split: str
    text_column: str
    encoding: TextEncoding | None
    """Of files of text; null is UTF-8, or UTF-16 where the file says so."""
    documents: Literal["auto", "line", "blank_line", "file"]
    """What a document of plain text is; `auto`: a line, or what stands between blank lines where there are some."""
    min_characters: Positive
    """Shorter documents are left out."""
    max_documents: Positive | None
    """Documents taken, in the order of the source; null takes all."""
    heldout: Annotated[float, Field(gt=0, lt=0.5)]
    """Share of the documents held out for evaluation."""
    near_duplicates: NearDuplicates | None
    """Which documents are left out as nearly the same as another; null leaves out those alone that differ in case,
    punctuation and white space."""


class Pack(Section):
    sequence_length: Annotated[int, Field(ge=16)]
    """Tokens in a block, special ones included."""


def _require_divisible(section: Any) -> Any:
    if section.hidden_size % section.num_attention_heads:
        raise ValueError(
            f"hidden_size {section.hidden_size} is not divisible by num_attention_heads {section.num_attention_heads}"
        )
    return section


class Scratch(Section):
    """A new vocabulary and a random BERT of this shape."""

    vocab_size: Annotated[int, Field(ge=32)]
    lowercase: bool
    hidden_size: Positive
    num_hidden_layers: Positive
    num_attention_heads: Positive
    intermediate_size: Positive
    max_position_embeddings: Annotated[int, Field(ge=16)]
    seed: NotNegative

    _divisible = model_validator(mode="after")(_require_divisible)


class Initialize(Section):
    """The tokenizer and the starting weights."""

    source: Path
    """data/corpus (from scratch), or a folder that holds a BERT checkpoint with its tokenizer."""
    scratch: Scratch | None
    """Shape of the model made from scratch; null with a checkpoint, which brings its own."""


Layers = Literal["first", "last", "uniform"] | list[NotNegative]
"""A rule, or the teacher's layers by number, counted from 0."""
KeptLayers = Literal["first", "last", "uniform", "importance"] | list[NotNegative]


class Shrink(Section):
    """How students are made of the teacher, the same for all of them."""

    calibration_blocks: Positive
    """Blocks of data/packed, evenly spaced, on which the teacher shows what a student has to keep."""
    seed: NotNegative


class Shape(Section):
    """What `shrink` makes of the teacher."""

    method: Literal["rotation", "importance", "first", "random", "scratch"]
    """`rotation`: a basis of the teacher's principal components, with refitted weights; `importance`: the channels,
    heads and neurons that are largest on the calibration blocks. To compare with them: `first` and `random` take
    channels by another rule, `scratch` takes no weight of the teacher."""
    num_hidden_layers: Positive
    keep_layers: KeptLayers
    """Which of the teacher's layers; `importance` takes those that change their input most."""
    hidden_size: Positive
    num_attention_heads: Positive
    intermediate_size: Positive
    vocab_size: Positive | None
    """Entries of the vocabulary that stay, those which corpus and task texts use most; null keeps the teacher's."""


class LayerMap(Section):
    """What distillation reads of a student."""

    teacher_layers: Layers | None
    """Which teacher layer each student layer imitates, in general and in task distillation; null for a student that is
    not distilled: it learns its tasks from their gold labels alone, as a floor for others of its shape."""

    @property
    def is_distilled(self) -> bool:
        return self.teacher_layers is not None


class Student(Shape, LayerMap):
    """One student of section `students`."""

    _divisible = model_validator(mode="after")(_require_divisible)


RESERVED, INT8 = ("teacher", "baseline", "tfidf", "distill"), "_int8"


def _require_free(name: str) -> str:
    if name in RESERVED or name.endswith(INT8):
        raise ValueError(f"expected another name, since reports use {', '.join(RESERVED)} and NAME{INT8}; got {name!r}")
    return name


ReportedName = Annotated[Name, AfterValidator(_require_free)]
"""Of a task or a student, which names files of the report."""


class TaskTexts(Section):
    """Texts of tasks for general distillation, beside the corpus."""

    tasks: list[Name]
    """Tasks whose training texts are read, without their labels; an empty list reads the corpus alone."""
    share: Annotated[float, Field(gt=0, lt=1)]
    """Of the blocks of a step, where tasks are named."""


class Schedule(Section):
    """Batch size and learning rate, with a linear warm-up and a linear decay to zero."""

    batch_size: Positive
    """Sequences in a step, over all processes."""
    learning_rate: Rate
    """At the end of the warm-up."""
    warmup: Probability
    """Share of the steps in which the learning rate rises from 0."""


class Training(Section):
    """Settings that all phases of a training run share; its optimizer is AdamW."""

    weight_decay: Weight
    dropout: Probability
    """On hidden states; attention has none, for speed."""
    seed: NotNegative


class Pretrain(Schedule, Training):
    steps: NotNegative
    """0 takes the starting weights as they are."""
    length_doublings: Annotated[int, Field(ge=0, le=16)]
    """How often the sequence length doubles until it is pack.sequence_length; 0 trains at full length throughout."""
    mask_probability: Fraction
    whole_words: bool
    """Mask all pieces of a word together."""


class IntermediateLosses(Section):
    """Weights of the losses to the teacher's inner states, in any mixture; 0 leaves a loss out.

    Defaults leave losses out, and that of `relation_heads` is the library's: another one in the code changes no output.
    """

    embedding: Weight
    """Squared error of the embeddings' output: TinyBERT's, as the next two."""
    hidden: Weight
    """Squared error of the layers' outputs."""
    attention: Weight
    """Squared error of the attention scores before the softmax; student and teacher need as many attention heads."""
    standardized: Weight = 0.0
    """`hidden` in units of each channel's standard deviation in the teacher."""
    cosine: Weight = 0.0
    """1 - cosine of the layers' outputs: DistilBERT's."""
    patience: Weight = 0.0
    """Squared distance of the normalized outputs at the [CLS] of each document: PKD's."""
    relation: Weight = 0.0
    """Divergence of the last layer's relations, query-query, key-key and value-value: MiniLMv2's."""
    relation_heads: Positive = 12
    """Heads that queries, keys and values are split into for `relation`; has to divide both hidden sizes."""

    def weights(self) -> dict[str, float]:
        """By the names of the losses."""
        return self.model_dump(exclude={"relation_heads"})


class GeneralLosses(IntermediateLosses):
    prediction: Weight
    """Soft cross-entropy to the teacher's vocabulary logits at masked positions."""
    hard: Weight = 0.0
    """Cross-entropy to the true tokens at masked positions."""

    @model_validator(mode="after")
    def _one_counts(self) -> "GeneralLosses":
        if not any(self.weights().values()):
            raise ValueError("every weight is 0, at least one has to be above 0")
        return self


class Distill(Schedule, Training):
    """General distillation, the same for all students."""

    steps: NotNegative
    """0 takes the shrunk model as it is."""
    mask_probability: Probability
    """0 disables masking, for a teacher without an MLM head."""
    whole_words: bool
    temperature: Temperature
    losses: GeneralLosses

    @model_validator(mode="after")
    def _masks_what_it_predicts(self) -> "Distill":
        needs = [f"losses.{name}" for name in ("prediction", "hard") if getattr(self.losses, name)]
        if needs and not self.mask_probability:
            raise ValueError(
                f"expected mask_probability above 0, got 0: {' and '.join(needs)} "
                f"{'are' if needs[1:] else 'is'} computed at masked positions"
            )
        return self


class Export(Section):
    max_logit_diff: Weight
    """Largest difference of a logit between the float32 ONNX model and PyTorch; above it the stage fails."""
    max_metric_drop: Weight
    """Largest drop of the task's metric on the validation split from PyTorch to the int8 ONNX model. A file is refused
    where the drop's whole 95 % interval lies above it, so that noise of a small split refuses none."""
    strict: bool
    """Fail where no variant of int8 is accepted; false goes on without the int8 file."""


class Measure(Section):
    lengths: Annotated[list[Annotated[int, Field(ge=4)]], Field(min_length=1)]
    """Tokens in a sequence."""
    batch_sizes: Annotated[list[Positive], Field(min_length=1)]
    """Sequences at once, of which the fastest counts for the throughput."""
    rounds: Annotated[int, Field(ge=5)]
    """Each round times every model once."""
    wait: Annotated[float, Field(ge=0, allow_inf_nan=False)]
    """Seconds that each timing waits at most for other programs to end."""
