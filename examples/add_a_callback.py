"""Add callbacks to a Trainer and a model that you already have."""

import torch
import torch.nn.functional as F
from lightning.pytorch import LightningModule, Trainer
from torch.utils.data import DataLoader, TensorDataset
from torchvision.models import resnet18

from torchvitals.callbacks import DeadReLUMonitor, GradientNormMonitor


class ResNetResearch(LightningModule):
    """Research code as it is: nothing of torchvitals in it."""

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
    gradients, dead = GradientNormMonitor(every_n_steps=2), DeadReLUMonitor()
    trainer = Trainer(
        max_epochs=1, logger=False, enable_checkpointing=False, callbacks=[gradients, dead]
    )
    trainer.fit(ResNetResearch(), DataLoader(data, batch_size=16, shuffle=True))
    print(f"gradient norm of all layers: {gradients.total_norm:.3g}")
    for site, share in dead.dead_fraction.items():
        print(f"{site:28} {share:6.1%} dead")


if __name__ == "__main__":
    main()
