"""When to kill a pipeline: mostly in trainings that have a resume point, the rest at any time of the run."""

import random
from collections import Counter
from collections.abc import Collection, Mapping
from dataclasses import dataclass

TRAININGS = ("pretrain", "distill", "finetune_teacher", "finetune_student")
"""Stages that save resume points."""
DVC, DVC_STARTING = "(dvc itself)", 1.5
"""Stands for the stage while dvc runs none, and the seconds of that before the first stage."""
STARTING = 4.0
"""Seconds from when dvc announces a stage to when the stage's own clock starts, which its imports take."""
FIRST_POINT = 4.0
"""Seconds of that clock until a training has saved its first resume point."""
LONGEST_DELAY = 5.0
"""Seconds from the first resume point to a kill: enough to save another one, and few enough for several kills of a
training."""
ANYWHERE = 0.2
"""Share of the kills whose times are uniform over the whole run."""


@dataclass(frozen=True)
class Kill:
    stage: str
    kind: str
    delay: float
    """Seconds, counted from when the stage can be resumed if `resumable`, else from its start."""
    resumable: bool


@dataclass(frozen=True)
class Running:
    """The stage that runs, with times in seconds since the epoch."""

    stage: str
    since: float
    resumable_since: float | None
    """When it went on from a resume point, or else saved its first; None before that."""


class Schedule:
    """Kills of one run of the pipeline, each for one stage; those that a stage's end forestalls move to others."""

    def __init__(
        self, kills: int, durations: Mapping[str, float], *, kinds: Collection[str], chance: random.Random
    ) -> None:
        """`durations` are the seconds of the stages, undisturbed; the `kinds` of kills come equally often."""
        self._lengths = {DVC: DVC_STARTING} | {stage: STARTING + seconds for stage, seconds in durations.items()}
        self._ahead = set(self._lengths)
        self._chance, self._planned = chance, Counter[str]()
        kinds = (list(kinds) * kills)[:kills]
        chance.shuffle(kinds)
        anywhere = round(kills * ANYWHERE)
        self.pending = [self._plan(kind, resumable=n >= anywhere) for n, kind in enumerate(kinds)]

    def due(self, running: Running, now: float) -> Kill | None:
        """A kill of the running stage whose time has come; it leaves the schedule."""
        if running.stage in self._ahead:
            self._ahead.remove(running.stage)
            self._move_on(running.stage)
        here = [kill for kill in self.pending if kill.stage == running.stage]
        # In turn, or a training would be killed after the shortest delays first.
        candidates = [kill for kill in here if kill.resumable][:1] + [kill for kill in here if not kill.resumable]
        for kill in candidates:
            start = running.resumable_since if kill.resumable else running.since
            if start is not None and now >= start + kill.delay:
                self.pending.remove(kill)
                return kill
        return None

    def _move_on(self, stage: str) -> None:
        """At the first start of `stage`, kills of stages that have ended are planned anew, for those ahead."""
        possible = self._ahead | {stage, DVC}  # dvc itself starts again after each kill
        missed = [kill for kill in self.pending if kill.stage not in possible]
        self.pending = [kill for kill in self.pending if kill.stage in possible]
        for kill in missed:
            last = Kill(stage, kill.kind, self._chance.uniform(0.0, 1.0), resumable=False)
            self.pending.append(self._plan(kill.kind, resumable=kill.resumable) if self._ahead else last)

    def _plan(self, kind: str, *, resumable: bool) -> Kill:
        """A kill in the stages ahead: of a training, in proportion to their lengths, or at a uniform time over all."""
        lengths = {stage: self._lengths[stage] for stage in sorted(self._ahead)}
        rooms = {stage: length - STARTING - FIRST_POINT for stage, length in lengths.items() if is_training(stage)}
        rooms = {stage: room for stage, room in rooms.items() if room > 0}
        if resumable and rooms:
            stage = min(rooms, key=lambda stage: (self._planned[stage] + 1) / rooms[stage])
            self._planned[stage] += 1
            return Kill(stage, kind, self._chance.uniform(0.0, min(LONGEST_DELAY, rooms[stage] / 2)), resumable=True)
        (stage,) = self._chance.choices(list(lengths), list(lengths.values()))
        return Kill(stage, kind, self._chance.uniform(0.0, lengths[stage]), resumable=False)


def is_training(stage: str) -> bool:
    return stage.partition("@")[0] in TRAININGS
