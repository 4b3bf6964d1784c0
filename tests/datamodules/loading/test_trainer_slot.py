import copy
import pickle

import lightning.pytorch
import pytest
import pytorch_lightning

from torchvitals.datamodules.loading.trainer_slot import TrainerSlot


class Module(lightning.pytorch.LightningDataModule):
    trainer = TrainerSlot()


class OwnTrainer(pytorch_lightning.Trainer):
    pass


@pytest.mark.parametrize("kind", [pytorch_lightning.Trainer, OwnTrainer])
def test_a_trainer_of_the_other_package_is_refused_with_what_to_import(kind):
    trainer = kind(accelerator="cpu", logger=False, enable_checkpointing=False)
    with pytest.raises(
        TypeError, match=r"Module to get .* `from lightning.pytorch import Trainer`"
    ):
        Module().trainer = trainer


def test_each_module_has_its_own_trainer():
    first, second = Module(), Module()
    trainer = lightning.pytorch.Trainer(accelerator="cpu", logger=False, enable_checkpointing=False)
    first.trainer = trainer
    assert first.trainer is trainer
    assert second.trainer is None
    first.trainer = None
    assert first.trainer is None


def test_a_module_is_copied_and_pickled_without_a_trainer():
    for module in (copy.deepcopy(Module()), pickle.loads(pickle.dumps(Module()))):
        assert module.trainer is None
