"""Programs that are drawn by a number, and what is counted of them."""

import sys
from pathlib import Path

import pytest
import torch
from torch import nn

# Scripts of the clinic import each other by their folder, as those of benchmarks/ do.
sys.path.append(str(Path(__file__).resolve().parents[2] / "benchmarks" / "clinic"))
from drawn import NETWORKS, TASKS, drawn
from judge_drawn import Pair, report_pairs, train
from judge_mutants import Mutant

NUMBERS = range(60)


def signature(program):
    made = program.module.configure_optimizers()
    optimizer = made["optimizer"] if isinstance(made, dict) else made
    weights = torch.cat([p.detach().flatten() for p in program.module.parameters()])
    return str(program.module), str(optimizer), program.epochs, program.trainer, weights


def test_a_number_is_the_same_program_each_time():
    for number in (0, 7):
        *first, weights = signature(drawn(number).train(number))
        *second, again = signature(drawn(number).train(number))
        assert [*map(str, first)] == [*map(str, second)]
        assert torch.equal(weights, again)


def test_numbers_differ_and_all_kinds_are_drawn():
    programs = [drawn(number).train(number) for number in NUMBERS]
    assert len({str(program.module) for program in programs}) > len(programs) / 2
    kinds = {type(m) for program in programs for m in program.module.modules()}
    assert kinds >= {nn.Conv1d, nn.Conv2d, nn.GRU, nn.LSTM, nn.TransformerEncoder, nn.BatchNorm1d}
    assert {drawn(number).goal.metric for number in NUMBERS} == {"accuracy", "R2"}
    assert {kind for _, _, suited in TASKS.values() for kind in suited} == set(NETWORKS)


@pytest.mark.parametrize("number", NUMBERS)
def test_each_suits_its_data(number):
    program = drawn(number).train(number)
    x, y = next(iter(program.train))
    outputs = program.module(x)
    assert outputs.isfinite().all()
    assert outputs.shape == y.shape if y.is_floating_point() else outputs.shape[1] > y.max()


def test_a_pair_is_trained_and_counted():
    number = 12  # breast cancer, a second of training
    pair = train(number)
    assert pair.reached
    assert pair.mutant.program == pair.name == "drawn-12"
    said = Mutant("rate x 1000", "drawn-1", True, 0.5, ("learning_rate_too_high",))
    silent = Mutant("rate x 1000", "drawn-2", True, 0.5)
    pairs = [
        Pair("drawn-1", True, (), said), Pair("drawn-2", True, ("overfitting",), silent),
        Pair("drawn-3", False, ("not_learning",)),
    ]  # fmt: skip
    table = report_pairs(pairs)
    assert "3 programs drawn, 2 of which reached their goal" in table
    assert "of these 1 were flagged at any time\n  drawn-2: overfitting" in table
    assert "balanced accuracy, with the faults below: 0.500" in table
    assert "rate x 1000                    2   1   1" in table
