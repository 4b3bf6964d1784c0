"""Add callbacks to a Trainer and a model that you already have."""

import torch
import torch.nn.functional as F
from lightning.pytorch import LightningModule, Trainer
from torch.utils.data import DataLoader, TensorDataset
from torchvision.models import resnet18

from torchvitals.callbacks import (
    ActivationMonitor,
    DeadReLUMonitor,
    GradientNormMonitor,
    UpdateRatioMonitor,
)


class ResNetResearch(LightningModule):
    """Existing research code, without anything from torchvitals."""

    def __init__(self) -> None:
        super().__init__()
        self.net = resnet18(num_classes=10)

    def training_step(self, batch, batch_idx):
        x, y = batch
        loss = F.cross_entropy(self.net(x), y)
        self.log("train_loss", loss)
        return loss

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), lr=0.05, momentum=0.9)


def main() -> None:
    generator = torch.Generator().manual_seed(0)
    images = torch.randn(64, 3, 32, 32, generator=generator)
    data = TensorDataset(images, torch.arange(64) % 10)
    gradients, dead = GradientNormMonitor(), DeadReLUMonitor()
    activations, updates = ActivationMonitor(), UpdateRatioMonitor()
    trainer = Trainer(
        max_epochs=1,
        logger=False,
        enable_checkpointing=False,
        log_every_n_steps=2,
        callbacks=[gradients, dead, activations, updates],
    )
    trainer.fit(ResNetResearch(), DataLoader(data, batch_size=16, shuffle=True))
    print(f"gradient norm of all layers: {gradients.total_norm:.3g}")
    print(f"norm of the update / norm of the weights: {updates.total_ratio:.3g}")
    for site, share in dead.dead_fraction.items():
        drift = activations.drift[site]
        print(f"{site:28} {share:6.1%} dead, outputs moved by {drift:.2f} standard deviations")


if __name__ == "__main__":
    main()
