"""A plain module and Trainer, as research code has them."""

import torch
import torch.nn.functional as F
from lightning.pytorch import LightningModule
from torch.utils.data import DataLoader, TensorDataset

from helpers.training import quiet_trainer


class Research(LightningModule):
    def __init__(self, network, optimizer=torch.optim.SGD, **options):
        super().__init__()
        self.network, self.optimizer = network, optimizer
        self.options = options or {"lr": 0.01}

    def training_step(self, batch, batch_idx):
        x, y = batch
        return F.cross_entropy(self.network(x), y)

    def configure_optimizers(self):
        trained = [p for p in self.parameters() if p.requires_grad]
        return self.optimizer(trained, **self.options)


def loader(x, batch_size=4, classes=3):
    y = torch.arange(len(x)) % classes
    return DataLoader(TensorDataset(x, y), batch_size=batch_size)


def fit(model, data, callbacks, *, ckpt_path=None, **arguments):
    trainer = quiet_trainer(callbacks=callbacks, **arguments)
    trainer.fit(model, data, ckpt_path=ckpt_path)
    return trainer
