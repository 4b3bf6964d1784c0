"""Networks of ReLUs whose every activation is noted in a plain loop, and how they are trained."""

import torch
import torch.nn.functional as F
from lightning.pytorch import Callback, LightningModule
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

from .training import quiet_trainer


class Research(LightningModule):
    """A plain module, as research code has it."""

    def __init__(self, network, lr=0.01):
        super().__init__()
        self.network = network
        self.lr = lr

    def training_step(self, batch, batch_idx):
        x, y = batch
        return F.cross_entropy(self.network(x), y)

    def validation_step(self, batch, batch_idx):
        self.network(batch[0])

    def predict_step(self, batch, batch_idx):
        return self.network(batch[0])

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), lr=self.lr)


def loader(x, batch_size=4, shuffle=False):
    y = torch.arange(len(x)) % 3
    return DataLoader(TensorDataset(x, y), batch_size=batch_size, shuffle=shuffle)


def fit(model, data, callbacks, val=None, ckpt_path=None, **arguments):
    trainer = quiet_trainer(callbacks=callbacks, **arguments)
    trainer.fit(model, data, val, ckpt_path=ckpt_path)
    return trainer


class Plain(nn.Module):
    """Two hidden layers whose every activation is noted, unit by unit, in a plain loop."""

    def __init__(self, width=20):
        super().__init__()
        self.first, self.second = nn.Linear(6, width), nn.Linear(width, width)
        self.act, self.out = nn.ReLU(), nn.Linear(width, 3)
        self.batches = []

    def forward(self, x):
        one = self.act(self.first(x))
        two = F.relu(self.second(one))
        if self.training:
            noted = {"network.act": one, "network.relu": two}
            self.batches.append(
                {
                    site: [any(v > 0 for v in unit) for unit in outputs.t().tolist()]
                    for site, outputs in noted.items()
                }
            )
        return self.out(two)

    def dead(self, batches):
        """Units that none of these batches made active."""
        return {
            site: [not any(b[site][unit] for b in batches) for unit in range(len(batches[0][site]))]
            for site in ("network.act", "network.relu")
        }


class Keep(Callback):
    """Keep what a monitor says after each batch, last of all callbacks."""

    def __init__(self, monitor):
        self.monitor = monitor
        self.said = []

    def on_train_epoch_end(self, trainer, pl_module):
        self.said.append({s: mask.tolist() for s, mask in self.monitor.dead_units.items()})


def partly_dead(seed, width=20):
    """A network with units of every chance to be active, a few of none."""
    torch.manual_seed(seed)
    network = Plain(width)
    with torch.no_grad():
        network.first.bias.uniform_(-4, 1)
        network.second.bias.uniform_(-3, 1)
    return network
