import pickle
from pathlib import Path

import pytest
import torch
from helpers.training import quiet_trainer
from lightning.pytorch import LightningDataModule, LightningModule

from torchvitals.datamodules.loading import EpochLoader, EpochSampler, IndexedTensors, Loaders


class Tensors(LightningDataModule):
    def __init__(self, **settings):
        super().__init__()
        generator = torch.Generator().manual_seed(0)
        self.data = IndexedTensors(torch.rand(50, 3, 4, 4, generator=generator), torch.arange(50))
        self.loaders = Loaders(**settings)

    def train_dataloader(self):
        return self.loaders.train(self.data, torch.arange(40), 8, trainer=self.trainer)

    def val_dataloader(self):
        return self.loaders.in_order(self.data, torch.arange(40, 50), 4, trainer=self.trainer)


class Reader(LightningModule):
    def __init__(self):
        super().__init__()
        self.weight = torch.nn.Parameter(torch.ones(()))
        self.trained, self.validated, self.devices = [], [], set()

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), lr=0.1)

    def training_step(self, batch, batch_idx):
        x, y, index = batch
        self.devices |= {tensor.device.type for tensor in batch}
        self.trained.append((x.sum().item(), y.tolist(), index.tolist()))
        return self.weight * x.mean()

    def validation_step(self, batch, batch_idx):
        self.validated.append(batch[2].tolist())


def fit(accelerator, **settings):
    model, data = Reader(), Tensors(**settings)
    trainer = quiet_trainer(max_epochs=2, accelerator=accelerator, devices=1)
    trainer.fit(model, datamodule=data)
    return model, trainer


def test_data_on_the_device_gives_the_same_batches_from_one_copy():
    plain, _ = fit("cpu")
    there, trainer = fit("cpu", resident=True)
    assert there.trained == plain.trained
    assert there.validated == plain.validated
    loaders = trainer.train_dataloader, trainer.val_dataloaders
    assert loaders[0].dataset.dataset is loaders[1].dataset.dataset


@pytest.mark.gpu
def test_a_gpu_is_never_waited_for():
    data = IndexedTensors(torch.rand(500, 3, 8, 8), torch.arange(500))
    members = torch.arange(10, 490)
    expected = list(EpochLoader(data, EpochSampler(members, 64, shuffle=True)))
    loader = EpochLoader(data.to("cuda"), EpochSampler(members, 64, shuffle=True))
    list(loader)
    loader.batches.set_epoch(0)
    torch.cuda.set_sync_debug_mode("error")
    try:
        batches = list(loader)
    finally:
        torch.cuda.set_sync_debug_mode("default")
    assert len(batches) == len(expected)
    for batch, other in zip(batches, expected, strict=True):
        assert all(tensor.is_cuda for tensor in batch)
        assert all(torch.equal(a.cpu(), b) for a, b in zip(batch, other, strict=True))


@pytest.mark.gpu
def test_a_trainer_reads_data_on_its_gpu():
    plain, _ = fit("gpu")
    there, trainer = fit("gpu", resident=True)
    assert there.devices == {"cuda"}
    assert [batch[1:] for batch in there.trained] == [batch[1:] for batch in plain.trained]
    assert there.validated == plain.validated
    assert trainer.train_dataloader.dataset.dataset.device.type == "cuda"


@pytest.mark.parametrize(
    ("settings", "error", "message"),
    [
        ({"resident": True, "num_workers": 2}, ValueError, "got 2 and False"),
        ({"resident": True, "pin_memory": True}, ValueError, "got 0 and True"),
    ],
)
def test_data_on_the_device_needs_no_workers(settings, error, message):
    with pytest.raises(error, match=message):
        Loaders(**settings)


def resident_bytes():
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * 4096


@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="needs Linux's /proc")
@pytest.mark.parametrize("workers", [0, 2])
def test_memory_is_flat_over_a_thousand_batches(workers):
    data = IndexedTensors(torch.rand(640, 1600))
    loader = EpochLoader(
        data, EpochSampler(torch.arange(640), 16, shuffle=True), num_workers=workers
    )
    # 40 batches of 100 kB in an epoch.
    for _ in range(5):
        list(map(len, loader))
    before = resident_bytes()
    for _ in range(25):
        list(map(len, loader))
    assert resident_bytes() - before < 4e6


def test_loaders_and_data_are_pickled_for_spawned_processes():
    data = IndexedTensors(torch.rand(20, 2), torch.arange(20))
    loader = EpochLoader(data, EpochSampler(torch.arange(20), 8, shuffle=True))
    copies = [pickle.loads(pickle.dumps(loader)) for _ in range(2)]
    assert [batch[2].tolist() for batch in copies[0]] == [batch[2].tolist() for batch in loader]
    spawned = EpochLoader(
        data,
        EpochSampler(torch.arange(20), 8, shuffle=True),
        num_workers=1,
        multiprocessing_context="spawn",
    )
    for batch, other in zip(spawned, copies[1], strict=True):
        assert all(torch.equal(a, b) for a, b in zip(batch, other, strict=True))
