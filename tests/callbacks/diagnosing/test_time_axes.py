"""What layers that take time first are given."""

import torch
from torch import nn

from torchvitals.callbacks.diagnosing.time_axes import TimeAxes


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
    assert news == {"rnn": (5, 3), "attention": (3, 5)}
    assert axes.news() == {}
    axes.take([{}, news, {"rnn": (9, 9)}])
    again = TimeAxes()
    again.load_state_dict(axes.state_dict())
    again.look("rnn", nn.GRU(8, 4), torch.zeros(7, 7, 8))
    assert again.found == news
    assert again.news() == {}
