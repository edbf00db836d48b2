"""What all training stages read, and the sections `pretrain` and `distill`."""

from typing import Annotated

from pydantic import Field, model_validator

from stages.parameters.keep import Layers
from stages.parameters.section import NotNegative, Positive, Probability, Rate, Section, Share, Temperature, Weight


class Optimization(Section):
    """AdamW with a linear warm-up and a linear decay to zero."""

    batch_size: Positive
    """Sequences in a step, over all processes."""
    learning_rate: Rate
    """At the end of the warm-up."""
    warmup: Probability
    """Share of the steps in which the rate rises from 0."""
    weight_decay: Weight
    dropout: Probability
    """On hidden states; attention has none, for speed."""
    seed: NotNegative


class Pretrain(Optimization):
    steps: NotNegative
    """0 takes the starting weights as they are."""
    length_doublings: Annotated[int, Field(ge=0, le=16)]
    """How often the length of sequences doubles until it is pack.sequence_length; 0 has full length all along."""
    mask_probability: Share
    whole_words: bool
    """Mask all pieces of a word together."""


class GeneralLosses(Section):
    """Weights of TinyBERT's losses on the corpus; 0 leaves a loss out."""

    embedding: Weight
    hidden: Weight
    attention: Weight
    prediction: Weight
    """Soft cross-entropy to the teacher's masked-word predictions."""

    @model_validator(mode="after")
    def _one_counts(self) -> "GeneralLosses":
        if not any((self.embedding, self.hidden, self.attention, self.prediction)):
            raise ValueError("every weight is 0, at least one has to be above 0")
        return self


class Distill(Optimization):
    steps: NotNegative
    """0 takes the shrunk model as it is."""
    mask_probability: Probability
    """0 shows every token, for a teacher without a masked-word head."""
    whole_words: bool
    teacher_layers: Layers
    """Which teacher layer each student layer imitates."""
    temperature: Temperature
    losses: GeneralLosses

    @model_validator(mode="after")
    def _masks_what_it_predicts(self) -> "Distill":
        if self.losses.prediction and not self.mask_probability:
            raise ValueError(
                "mask_probability is 0, but losses.prediction is learnt at masked tokens; wanted is one above 0"
            )
        return self
