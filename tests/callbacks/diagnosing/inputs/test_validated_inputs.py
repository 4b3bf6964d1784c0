"""Inputs that are prepared in training alone, or in validation alone."""

import pickle
from copy import deepcopy
from dataclasses import replace

import pytest
import torch
from helpers.vital_signs import FALLING, SMALL, found, vitals
from lightning.pytorch import LightningModule, Trainer
from torch import nn
from torch.nn.utils.rnn import pack_sequence
from torch.utils.data import DataLoader, TensorDataset

from torchvitals.callbacks import Problem, TrainingDoctor
from torchvitals.callbacks.diagnosing.causes import join_causes
from torchvitals.callbacks.diagnosing.examination import examine
from torchvitals.callbacks.diagnosing.inputs.validated_inputs import ValidatedInputs
from torchvitals.callbacks.diagnosing.vital_signs.signs import InputScale


def network():
    return nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 3)).eval()


def observed(net, inputs, name="0", batches=None):
    """What is observed of a validation with these inputs."""
    watch = ValidatedInputs()
    watch.attach(net, name, len(inputs) if batches is None else batches)
    with torch.inference_mode():
        for x in inputs:
            net(x)
            watch.end_batch()
    watch.detach()
    assert not any(module._forward_pre_hooks for module in net.modules())
    return watch


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.bfloat16])
def test_moments_are_those_of_all_entries(dtype):
    inputs = [(3 * i + torch.randn(50, 4)).to(dtype) for i in range(4)]
    watch = observed(network().to(dtype), inputs)
    whole = torch.cat(inputs).double()
    expected = pytest.approx([float(whole.mean()), float(whole.std())], rel=5e-3)
    assert watch.news() == expected
    watch.take([watch.news()])
    assert watch.scale == expected


def test_ranks_are_joined():
    whole = torch.randn(80, 4) * 2 + 5
    parts = [observed(network(), [part]).news() for part in whole.chunk(2)]
    joined = ValidatedInputs()
    joined.take([*parts, []])
    assert joined.scale == pytest.approx([float(whole.mean()), float(whole.std())], rel=1e-2)
    joined.take([[], []])
    assert joined.scale == []


@pytest.mark.parametrize(("batches", "means"), [(40, 17.5), (float("inf"), 3.5)])
def test_a_few_batches_are_observed_over_the_whole_validation(batches, means):
    inputs = [torch.full((2, 4), float(i)) for i in range(40)]
    assert observed(network(), inputs, batches=batches).news()[0] == means


def test_later_calls_in_a_batch_do_not_count():
    watch, net = ValidatedInputs(), network()
    watch.attach(net, "0", 2)
    for first in (1.0, 3.0):
        net(torch.full((2, 4), first))
        net(torch.full((2, 4), 100.0))
        watch.end_batch()
    watch.detach()
    assert watch.news() == pytest.approx([2.0, 1.0])


@pytest.mark.parametrize("name", ["", "nobody"])
def test_without_a_layer_nothing_is_observed(name):
    assert observed(network(), [torch.randn(5, 4)], name).news() == []


def test_calls_in_training_mode_and_inputs_without_moments_are_left_out():
    assert observed(network().train(), [torch.randn(5, 4)]).news() == []
    net = nn.Sequential(nn.Embedding(5, 4))
    assert observed(net.eval(), [torch.tensor([1, 2])]).news() == []


def test_packed_sequences_count_what_they_hold():
    lstm = nn.Sequential(nn.LSTM(4, 3)).eval()
    parts = [torch.randn(5, 4), torch.randn(2, 4)]
    expected = [float(torch.cat(parts).mean()), float(torch.cat(parts).std())]
    assert observed(lstm, [pack_sequence(parts)]).news() == pytest.approx(expected)


def test_an_error_interrupts_no_forward_pass():
    class Odd(torch.Tensor):
        @classmethod
        def __torch_function__(cls, func, types, args=(), kwargs=None):
            if func is torch.Tensor.detach:
                raise RuntimeError("not here")
            return super().__torch_function__(func, types, args, kwargs or {})

    watch = observed(network(), [torch.randn(5, 4).as_subclass(Odd)])
    with pytest.raises(RuntimeError, match="not here"):
        watch.news()


def test_a_copy_or_a_pickle_of_a_layer_has_no_hook():
    net, watch = network(), ValidatedInputs()
    watch.attach(net, "0", 1)
    for copied in (deepcopy(net), pickle.loads(pickle.dumps(net))):
        copied(torch.randn(8, 4))
    assert watch.news() == []
    watch.detach()


class Research(LightningModule):
    """Prepares bytes in the training step, and in validation by choice."""

    def __init__(self, prepares):
        super().__init__()
        torch.manual_seed(0)
        self.net, self.prepares = network().train(), prepares

    def training_step(self, batch, batch_idx):
        x, y = batch
        return nn.functional.cross_entropy(self.net((x - 128) / 64), y)

    def validation_step(self, batch, batch_idx):
        x, y = batch
        x = (x - 128) / 64 if self.prepares else x
        self.log("val_loss", nn.functional.cross_entropy(self.net(x), y))

    def configure_optimizers(self):
        return torch.optim.Adam(self.net.parameters(), lr=0.01)


@pytest.mark.parametrize("prepares", [True, False])
def test_inputs_that_are_prepared_in_training_alone(prepares):
    torch.manual_seed(0)
    y = torch.arange(480) % 3
    x = (128 + 40 * torch.randn(3, 4)[y] + 20 * torch.randn(480, 4)).clamp(0, 255)
    data = TensorDataset(x, y)
    doctor, module = TrainingDoctor(), Research(prepares)
    trainer = Trainer(
        max_epochs=8, callbacks=[doctor], logger=False, enable_checkpointing=False,
        enable_progress_bar=False, enable_model_summary=False,
    )  # fmt: skip
    trainer.fit(module, DataLoader(data, 24, shuffle=True), DataLoader(data, 48))
    said = [d for d in doctor.diagnoses if d.severity != "info"]
    problems = [] if prepares else [Problem.TRAIN_EVAL_MISMATCH]
    assert [d.problem for d in said] == problems
    if said:
        assert said[0].layer == "net.0"
        assert f"a mean of {float(x.mean()):.3g} and a standard deviation of" in said[0].evidence
    assert not any(part._forward_pre_hooks for part in module.modules())


TRAINED = InputScale("stem", mean=0.0, std=1.0, batches=40)
BAD = {
    "inputs": TRAINED, "validation_losses": [2.4, 2.5, 2.6],
    "training_epoch_losses": [1.0, 0.5, 0.3],
}  # fmt: skip


@pytest.mark.parametrize(
    ("known", "more", "sick"),
    [
        ([0.0, 2.6], {}, True),
        ([0.0, 0.39], {}, True),
        ([2.1, 1.0], {}, True),
        ([86.0, 45.0], {}, True),
        ([0.0, 0.0], {}, True),
        ([0.0, 2.4], {}, False),  # such as augmentation that adds noise
        ([1.9, 1.0], {}, False),
        ([float("nan"), float("nan")], {}, False),
        ([], {}, False),
        ([86.0, 45.0], {"inputs": InputScale("stem", mean=0.0, std=1.0, is_data=False)}, False),
        ([86.0, 45.0], {"validation_losses": [0.9, 0.6, 0.4]}, False),
    ],
)
def test_the_validation_loss_has_to_pay_for_other_inputs(known, more, sick):
    signs = vitals(SMALL, **{**BAD, "validated_inputs": known, **more})
    said = [s for s in join_causes(examine(signs)) if s.problem is Problem.TRAIN_EVAL_MISMATCH]
    assert [s.layer for s in said] == ["stem"] * sick


@pytest.mark.parametrize(
    ("known", "more", "sick"),
    [
        ([2.1, 1.0], {}, True),
        ([1.5, 2.6], {}, False),  # they overlap
        ([2.1, 1.0], {"validation_scores": [0.7, 0.8, 0.9]}, False),
    ],
)
def test_where_validation_logs_nothing_inputs_must_hardly_overlap(known, more, sick):
    signs = vitals(SMALL, inputs=TRAINED, validated_inputs=known, **more)
    said = [s for s in examine(signs) if s.problem is Problem.TRAIN_EVAL_MISMATCH]
    assert [s.layer for s in said] == ["stem"] * sick
    assert all("No validation loss is logged" in s.evidence for s in said)


SCORED = {
    "inputs": TRAINED, "validated_inputs": [86.0, 45.0], "accuracies": [0.9] * 30,
    "validation_scores": [0.3, 0.4, 0.5], "scores_are_accuracies": True,
}  # fmt: skip


@pytest.mark.parametrize(
    ("more", "sick"),
    [
        ({}, True),
        ({"validation_scores": [0.3, 0.4, 0.8]}, False),
        ({"scores_are_accuracies": False}, False),
        ({"accuracies": []}, False),
    ],
)
def test_without_a_loss_the_accuracy_has_to(more, sick):
    signs = examine(vitals(SMALL, **{**SCORED, **more}))
    said = [s.evidence for s in signs if s.problem is Problem.TRAIN_EVAL_MISMATCH]
    price = "The validation accuracy is 50% and the training accuracy 90%."
    assert [text.endswith(price) for text in said] == [True] * sick


ONE_COLUMN = InputScale("stem", batch_spread=0.2, feature_spread=20.0, batches=40, sizes=(32, 10))
ORDERED = {
    "inputs": InputScale("stem", batch_spread=0.55, batches=40, sizes=(32, 10)),
    "batch_size": 32, "shuffled": False, "validation_losses": [0.5, 0.6, 0.7, 0.8],
    "training_epoch_losses": [0.4, 0.3, 0.2, 0.1],
}  # fmt: skip


@pytest.mark.parametrize(
    ("more", "sick"),
    [
        ({}, True),
        ({"inputs": ONE_COLUMN}, True),
        ({"inputs": replace(ONE_COLUMN, feature_spread=0.9)}, False),
        ({"shuffled": True}, False),
        ({"inputs": InputScale("stem", batch_spread=0.4, batches=40, sizes=(32, 10))}, False),
        ({"batch_size": 16}, False),  # of more, chance makes less
        ({"batch_size": 0}, False),
        ({"validation_losses": [0.4, 0.3, 0.25, 0.14]}, False),
    ],
)
def test_batches_that_follow_an_order_of_the_data(more, sick):
    signs = found(vitals(FALLING, **{**ORDERED, **more}))
    assert (Problem.COVARIATE_SHIFT in signs) is sick
