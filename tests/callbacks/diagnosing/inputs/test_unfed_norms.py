"""BatchNorm layers that are evaluated with the moments that they were made with."""

import pickle
from copy import deepcopy

import pytest
import torch
from helpers.vital_signs import FLAT, SMALL, found, vitals
from lightning.pytorch import LightningModule, Trainer
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

from torchvitals.callbacks import Problem, TrainingDoctor
from torchvitals.callbacks.diagnosing.causes import join_causes
from torchvitals.callbacks.diagnosing.examination import examine
from torchvitals.callbacks.diagnosing.inputs.batch_norms import NormProbe
from torchvitals.callbacks.diagnosing.inputs.unfed_norms import UnfedNorms


def network():
    return nn.Sequential(nn.Linear(4, 8), nn.BatchNorm1d(8), nn.ReLU(), nn.Linear(8, 3))


@pytest.mark.parametrize("fed", [False, True])
@pytest.mark.parametrize("in_training", [False, True])
def test_a_norm_that_no_batch_has_come_to_is_found_where_it_is_evaluated(fed, in_training):
    net, norms = network(), UnfedNorms()
    if fed:
        net(torch.randn(8, 4) + 2)
    norms.attach(net)
    net.train(in_training)(torch.randn(8, 4))
    norms.detach()
    norms.take([norms.news(), []])
    assert norms.found == ([] if fed or in_training else ["1"])
    assert not any(module._forward_pre_hooks for module in net.modules())


def test_a_norm_that_is_in_evaluation_mode_in_training_too_is_no_other_one_in_validation():
    norms = UnfedNorms()
    norms.take([["body.1", "slow.1"]], {"body.1"})
    assert norms.found == ["slow.1"]


def test_what_is_evaluated_in_training_is_taken_down():
    net, probe, resumed = network().eval(), NormProbe(), NormProbe()
    probe.look("1", net[1], (torch.randn(8, 8),))
    news = probe.news()
    probe.take([NormProbe().news(), news])
    resumed.load_state_dict(probe.state_dict())
    assert probe.evaluated_in_training == resumed.evaluated_in_training == {"1"}


def test_what_was_found_stands_until_the_next_validation_of_a_resumed_fit():
    net, norms = network(), UnfedNorms()
    norms.resume(["slow.1"])
    norms.take([norms.news()])
    assert norms.found == ["slow.1"]
    norms.attach(net)
    norms.detach()
    norms.take([norms.news()])
    assert norms.found == []


def test_a_copy_or_a_pickle_of_a_layer_has_no_hook():
    net, norms = network(), UnfedNorms()
    norms.attach(net)
    copies = [deepcopy(net).eval(), pickle.loads(pickle.dumps(net)).eval()]
    for copied in copies:
        copied(torch.randn(8, 4))
    norms.detach()
    assert norms.news() == []


class Averaged(LightningModule):
    """Validates a slow copy of the network, to which it gives the weights alone."""

    def __init__(self, with_buffers, graphs):
        super().__init__()
        torch.manual_seed(0)
        self.net = network()
        self.slow = deepcopy(self.net).requires_grad_(False)
        self.with_buffers, self.graphs = with_buffers, graphs

    def training_step(self, batch, batch_idx):
        x, y = batch
        return nn.functional.cross_entropy(self.net(x), y)

    def on_train_batch_end(self, *_):
        for slow, fast in zip(self.slow.parameters(), self.net.parameters(), strict=True):
            with self.graphs():
                slow.lerp_(fast, 0.2)
        if self.with_buffers:
            for slow, fast in zip(self.slow.buffers(), self.net.buffers(), strict=True):
                slow.copy_(fast)

    def validation_step(self, batch, batch_idx):
        x, y = batch
        self.log("val_loss", nn.functional.cross_entropy(self.slow(x), y))

    def configure_optimizers(self):
        return torch.optim.Adam(self.net.parameters(), lr=0.01)


@pytest.mark.parametrize("with_buffers", [True, False])
# That the copy takes the graphs along is a fault of its own, which torch warns of and the doctor
# bears.
@pytest.mark.filterwarnings("ignore:The .grad attribute of a Tensor that is not a leaf")
@pytest.mark.parametrize("graphs", [torch.enable_grad, torch.no_grad])
def test_an_average_of_the_weights_alone_is_another_network(with_buffers, graphs):
    torch.manual_seed(0)
    y = torch.arange(240) % 3
    x = 20 + 5 * torch.randn(3, 4)[y] + torch.randn(240, 4)
    data = TensorDataset(x, y)
    loader, held_out = DataLoader(data, 24, shuffle=True), DataLoader(data, 24)
    doctor, module = TrainingDoctor(), Averaged(with_buffers, graphs)
    trainer = Trainer(
        max_epochs=8, callbacks=[doctor], logger=False, enable_checkpointing=False,
        enable_progress_bar=False, enable_model_summary=False,
    )  # fmt: skip
    trainer.fit(module, loader, held_out)
    assert not doctor.failed
    said = [d for d in doctor.diagnoses if d.problem == Problem.TRAIN_EVAL_MISMATCH]
    assert [d.layer for d in said] == ([] if with_buffers else ["slow.1"])
    trainer.validate(module, held_out, verbose=False)
    assert not any(part._forward_pre_hooks for part in module.modules())


BAD = {"validation_losses": [2.4, 2.5], "training_epoch_losses": [1.0, 0.3]}


def test_it_is_said_where_validation_pays_for_it():
    (symptom,) = join_causes(examine(vitals(SMALL, unfed_norms=["ema.1", "ema.4"], **BAD)))
    assert symptom.problem == Problem.TRAIN_EVAL_MISMATCH
    assert "ema.1 and 1 more BatchNorm layers have a running mean of 0" in symptom.evidence
    assert symptom.remedies[0].code == "AveragedModel(model, use_buffers=True)"
    scored = {"validation_scores": [0.5], "scores_are_accuracies": True, "accuracies": [0.9] * 30}
    (symptom,) = join_causes(examine(vitals(SMALL, unfed_norms=["ema.1"], **scored)))
    assert "The validation accuracy is 50% and the training accuracy 90%." in symptom.evidence
    good = {**BAD, "validation_losses": [0.4, 0.3]}
    assert not found(vitals(SMALL, unfed_norms=["ema.1"], **good))
    assert Problem.TRAIN_EVAL_MISMATCH not in found(vitals(FLAT, unfed_norms=["ema.1"]))
