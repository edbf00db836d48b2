"""Schedules of kills, on a clock of their own."""

import random
from collections import Counter

import pytest

from benchmarks.kill_schedule import ANYWHERE, DVC, FIRST_POINT, STARTING, Kill, Running, Schedule, is_training

DURATIONS = {"plan": 0.5, "pretrain": 25.0, "distill": 25.0, "finetune_teacher@library": 20.0, "evaluate@library": 5.0}
KINDS = ["a", "b"]


def schedule(kills: int, *, seed: int = 1) -> Schedule:
    return Schedule(kills, DURATIONS, kinds=KINDS, chance=random.Random(seed))


def play(schedule: Schedule, *, kept: float) -> list[Kill]:
    """The kills of a run whose trainings keep a share of what each attempt has done."""
    kills: list[Kill] = []
    now = 0.0
    schedule.due(Running(DVC, now, None), now)
    for stage, seconds in DURATIONS.items():
        left = seconds
        while True:
            start, kill = now, None
            # It can be resumed when it has saved, or at once where an earlier attempt has.
            ready = start + STARTING + (FIRST_POINT if left == seconds else 0.0) if is_training(stage) else None
            while now < start + STARTING + left and kill is None:
                now += 0.1
                known = ready if ready is not None and now >= ready else None
                kill = schedule.due(Running(stage, start, known), now)
            if kill is None:
                break
            assert kill.stage == stage
            kills.append(kill)
            worked = now - start - STARTING
            left = max(1.0, left - kept * worked) if is_training(stage) and worked > 0 else left
    return kills


def test_four_of_five_kills_hit_resumable_trainings_evenly_and_kinds_come_equally_often() -> None:
    planned = schedule(50).pending
    resumable = [kill for kill in planned if kill.resumable]
    assert len(resumable) == len(planned) * (1 - ANYWHERE)
    counts = Counter(kill.stage for kill in resumable)
    assert {stage for stage in DURATIONS if is_training(stage)} == set(counts)
    room = {stage: DURATIONS[stage] - FIRST_POINT for stage in counts}
    assert all(abs(counts[stage] - 40 * room[stage] / sum(room.values())) < 1 for stage in counts)
    assert Counter(kill.kind for kill in planned) == {"a": 25, "b": 25}


def test_the_other_kills_are_uniform_over_the_run() -> None:
    others = [kill for kill in schedule(5000).pending if not kill.resumable]
    lengths = {stage: STARTING + seconds for stage, seconds in DURATIONS.items()}
    for stage, length in lengths.items():
        delays = [kill.delay for kill in others if kill.stage == stage]
        assert len(delays) / len(others) == pytest.approx(length / sum(lengths.values()), rel=0.25)
        assert sum(delays) / len(delays) == pytest.approx(length / 2, rel=0.15)


@pytest.mark.parametrize("kept", [0.2, 0.7])
@pytest.mark.parametrize("seed", range(5))
def test_all_kills_of_a_run_happen(kept: float, seed: int) -> None:
    kills = play(schedule(20, seed=seed), kept=kept)
    assert len(kills) >= 19  # dvc itself may be too quick for its own
    assert sum(kill.resumable for kill in kills) == 16


def test_a_kill_of_a_stage_that_has_ended_moves_to_a_later_training() -> None:
    short = Schedule(10, {"pretrain": 25.0, "distill": 25.0}, kinds=KINDS, chance=random.Random(1))
    short.due(Running("pretrain", 0.0, None), 0.0)
    assert {kill.stage for kill in short.pending if kill.resumable} == {"pretrain", "distill"}
    short.due(Running("distill", 1.0, None), 1.0)
    assert {kill.stage for kill in short.pending} <= {"distill", DVC}
    assert len(short.pending) == 10


def test_a_training_that_is_too_short_to_save_gets_no_kill_of_its_own() -> None:
    quick = Schedule(20, {"pretrain": 3.0, "distill": 25.0}, kinds=KINDS, chance=random.Random(1))
    assert {kill.stage for kill in quick.pending if kill.resumable} == {"distill"}
