import sys

import pytest
import torch
from helpers.reviews import reviews

from torchvitals.datamodules import TextAugment
from torchvitals.datamodules.loading import EpochLoader, EpochSampler
from torchvitals.datamodules.texts.augmented_texts import AugmentedTexts
from torchvitals.datamodules.texts.hashed_words import HashedWords

TEXTS, LABELS = reviews(24)


def augmented(operations="eda"):
    y = torch.arange(24) % 2
    return AugmentedTexts(TEXTS, HashedWords().encode, y, TextAugment(operations, seed=3))


def epochs(count, **workers):
    sampler = EpochSampler(torch.arange(24), 5, shuffle=True)
    loader = EpochLoader(augmented(), sampler, **workers)
    return [[[part.tolist() for part in batch] for batch in loader] for _ in range(count)]


@pytest.mark.parametrize("context", ["fork", "spawn"])
def test_worker_processes_live_on_and_augment_by_the_epoch(context):
    alone = epochs(3)
    assert len({str(sorted(epoch)) for epoch in alone}) == 3
    assert epochs(3, num_workers=1, multiprocessing_context=context) == alone


def test_nothing_is_augmented_beforehand():
    data = augmented()
    first = data.__getitems__([3, 5])[0].tolist()
    assert data.__getitems__([5, 3, 0])[0].tolist() != first
    assert [n for n in data[3][0].tolist() if n] == [n for n in first[0] if n]
    data.set_epoch(1)
    assert data.__getitems__([3, 5])[0].tolist() != first


def test_memory_stays_flat_over_a_thousand_batches():
    data = augmented()
    for epoch in range(20):
        data.set_epoch(epoch)
        data.__getitems__(range(24))
    before = sys.getallocatedblocks()
    for epoch in range(1000):
        data.set_epoch(epoch)
        data.__getitems__(range(24))
    assert sys.getallocatedblocks() - before < 1000
