"""What layers that take time first are given."""

import pytest
import torch
from helpers.training import quiet_trainer
from lightning.pytorch import LightningModule
from torch import nn
from torch.utils.data import (
    DataLoader,
    RandomSampler,
    SequentialSampler,
    TensorDataset,
    WeightedRandomSampler,
)

from torchvitals.callbacks import TrainingDoctor
from torchvitals.callbacks.diagnosing.inputs.time_axes import TimeAxes


class Tagger(LightningModule):
    """Label of each word, which follows from it and the word before."""

    def __init__(self, batch_first):
        super().__init__()
        self.words, self.head = nn.Embedding(40, 16), nn.Linear(32, 5)
        self.rnn = nn.GRU(16, 32, batch_first=batch_first)

    def training_step(self, batch, batch_idx):
        words, labels = batch
        logits = self.head(self.rnn(self.words(words))[0])
        return nn.functional.cross_entropy(logits.flatten(0, 1), labels.flatten())

    def configure_optimizers(self):
        return torch.optim.Adam(self.parameters(), 3e-3)


def evenly(data):
    return WeightedRandomSampler(torch.ones(len(data)), len(data))


@pytest.mark.parametrize(
    ("batch_first", "sampler", "named"),
    [
        (False, RandomSampler, True),
        (False, evenly, True),
        (False, SequentialSampler, False),
        (True, RandomSampler, False),
    ],
)
def test_a_tagger_that_runs_through_samples_drawn_at_random_is_told(batch_first, sampler, named):
    torch.manual_seed(0)
    words = torch.randint(40, (640, 20))
    labels = (words + words.roll(1, 1)) % 5
    data = TensorDataset(words, labels)
    loader = DataLoader(data, 32, sampler=sampler(data))
    doctor = TrainingDoctor()
    quiet_trainer(max_epochs=10, callbacks=[doctor]).fit(Tagger(batch_first), loader)
    found = [("not_learning", "rnn")] if named else []
    assert [(d.problem, d.layer) for d in doctor.diagnoses if d.layer] == found


def test_only_layers_that_take_time_first_are_taken_down_and_once():
    axes = TimeAxes()
    x = torch.zeros(5, 3, 8)
    axes.look("rnn", nn.GRU(8, 4), x)
    axes.look("rnn", nn.GRU(8, 4), x.transpose(0, 1))
    axes.look("attention", nn.MultiheadAttention(8, 2), x.transpose(0, 1))
    axes.look("batches first", nn.LSTM(8, 4, batch_first=True), x)
    axes.look("one sequence", nn.RNN(8, 4), x[0])
    axes.look("packed", nn.RNN(8, 4), nn.utils.rnn.pack_padded_sequence(x, [5, 5, 5]))
    axes.look("no sequences", nn.Linear(8, 4), x)
    axes.look("by name", nn.MultiheadAttention(8, 2), None)
    news = axes.news()
    assert news == {"rnn": [5, 3], "attention": [3, 5]}
    assert axes.news() == {}
    axes.take([{}, news, {"rnn": [9, 9]}])
    axes.look("rnn", nn.GRU(8, 4), torch.zeros(7, 7, 8))
    assert axes.found == {"rnn": (5, 3), "attention": (3, 5)}
    assert axes.news() == {}
