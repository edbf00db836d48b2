"""Section `compute`: how every stage that uses torch computes."""

from typing import Literal

from stages.parameters.section import Positive, Section


class Compute(Section):
    threads: Literal["auto"] | Positive
    """CPU threads; `auto` takes all cores of this process. Another number changes the last bits of a result."""
    precision: Literal["auto", "float32", "bfloat16"]
    """Of matrix products; weights stay float32. `auto`: bfloat16 where the hardware has it, else float32."""
