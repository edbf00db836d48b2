"""The shape of a student, and what a teacher's configuration becomes in it."""

from dataclasses import asdict, dataclass

from transformers import BertConfig

from tinybert.errors import InputError


@dataclass(frozen=True)
class Shape:
    """Of a student; which and how many layers it has is chosen apart (see layers.py)."""

    hidden_size: int
    num_attention_heads: int
    intermediate_size: int

    @property
    def head_size(self) -> int:
        return self.hidden_size // self.num_attention_heads


def student_config(teacher: BertConfig, shape: Shape, *, layers: int) -> BertConfig:
    """The teacher's configuration with a student's sizes. Raises InputError when a width is above the teacher's."""
    wide = [f"{name} is {size}, the teacher's is {getattr(teacher, name)}" for name, size in asdict(shape).items()
            if name != "num_attention_heads" and size > getattr(teacher, name)]  # fmt: skip
    if wide:
        raise InputError(f"the student cannot be wider than its teacher: {'; '.join(wide)}")
    return type(teacher)(**(teacher.to_dict() | {"num_hidden_layers": layers, **asdict(shape)}))
