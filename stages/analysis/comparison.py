"""Models beside one another on the same rows: scores with intervals, and what each keeps of a reference's score."""

from collections.abc import Mapping
from typing import Any

from stages.analysis.bootstrap import Weighted, interval, resample


def compare(
    scores: Mapping[str, float], weighted: Mapping[str, Weighted], *, num_rows: int, reference: str
) -> dict[str, dict[str, Any]]:
    """Of each: score and interval; but for the reference also `retained`, its share of the reference's score, and
    `difference`, its score less the reference's, whose interval is that of the same draws of rows for both."""
    drawn = resample(weighted, num_rows=num_rows)
    found: dict[str, dict[str, Any]] = {}
    for who, score in scores.items():
        found[who] = {"score": score, "interval": interval(drawn[who])}
        if who != reference:
            found[who] |= {
                "retained": round(score / scores[reference], 5) if scores[reference] else 0.0,
                "difference": round(score - scores[reference], 5),
                "difference_interval": interval(drawn[who] - drawn[reference]),
            }
    return found
