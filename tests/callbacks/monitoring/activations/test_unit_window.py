import pytest
import torch

from torchvitals.callbacks.monitoring.activations import unit_window
from torchvitals.callbacks.monitoring.activations.unit_window import UnitWindow


def run(window, batches, *, narrow=True):
    """Give each batch's masks to the window, only of the units that it watches.

    Returns the number of units that were looked at in each batch.
    """
    looked_at = []
    for masks in batches:
        count = 0
        for site, mask in masks.items():
            watched = window.watched(site, len(mask))
            if watched is None:
                window.add(site, mask)
                count += len(mask)
            elif len(watched):
                window.add(site, torch.zeros_like(mask).index_copy(0, watched, mask[watched]))
                count += len(watched)
        window.end_batch(narrow=narrow)
        looked_at.append(count)
    return looked_at


def random_batches(seed, device="cpu"):
    generator = torch.Generator().manual_seed(seed)
    chances = {
        site: torch.rand(40, generator=generator) ** power
        for site, power in (("often", 0.1), ("mixed", 2), ("rare", 9))
    }
    return [
        {site: (torch.rand(40, generator=generator) < p).to(device) for site, p in chances.items()}
        for _ in range(24)
    ]


@pytest.mark.parametrize("delay", [0, 1, 5])
@pytest.mark.parametrize("narrow", [True, False])
@pytest.mark.parametrize("seed", range(4))
def test_watching_less_and_less_finds_what_watching_all_does(seed, narrow, delay, monkeypatch):
    polls = []
    monkeypatch.setattr(
        unit_window._HostCopy, "arrived", lambda _: polls.append(0) or len(polls) % (delay + 1) == 0
    )
    window, batches = UnitWindow(), random_batches(seed)
    looked_at = run(window, batches, narrow=narrow)
    for site in batches[0]:
        expected = torch.stack([masks[site] for masks in batches]).any(0)
        assert torch.equal(window.active[site], expected)
    assert looked_at[0] == 120
    assert (looked_at[-1] < 60) == narrow
    assert not window.is_decided(["often", "rare"])
    assert window.is_decided(["often"]) == narrow


def test_a_site_that_was_not_seen_is_not_decided():
    window = UnitWindow()
    run(window, [{"act": torch.ones(3, dtype=torch.bool)}])
    assert window.is_decided(["act"])
    assert not window.is_decided(["act", "other"])


def test_a_window_goes_on_with_the_masks_it_is_given():
    first, second = UnitWindow(), UnitWindow()
    batches = random_batches(7)
    run(first, batches[:9])
    resumed = UnitWindow(first.active)
    run(resumed, batches[9:])
    run(second, batches)
    assert all(torch.equal(resumed.active[site], second.active[site]) for site in batches[0])


@pytest.mark.parametrize("widths", [(3, 4), (3, 4, 3), (9, 9, 9, 9, 9, 1, 9)])
def test_a_site_of_another_width_is_told_and_can_be_left_out_of_the_rest(widths):
    window = UnitWindow()
    mask = torch.ones(9, dtype=torch.bool)
    mask[0] = False
    told = []
    for width in widths:
        fits = window.add("scores", mask[:width])
        told.append(not fits)
        if not fits:
            window.leave_out("scores")
        assert window.add("act", mask)
        window.end_batch(narrow=True)
    changes = [one != widths[0] for one in widths]
    assert told == [change and not any(changes[:i]) for i, change in enumerate(changes)]
    assert [len(window.active[site]) for site in ("scores", "act")] == [0, 9]
    assert len(window.watched("scores", widths[0])) == 0
    assert [window.is_decided([site]) for site in ("scores", "act")] == [True, False]
    resumed = UnitWindow(window.active)
    assert resumed.add("scores", mask[:5])
    assert resumed.is_decided(["scores"])
    assert len(resumed.active["scores"]) == 0


@pytest.mark.gpu
@pytest.mark.parametrize("seed", range(3))
def test_masks_on_a_device_are_decided_without_waiting_for_it(seed):
    window, batches = UnitWindow(), random_batches(seed, "cuda")
    with torch.cuda.stream(torch.cuda.Stream()):
        torch.cuda.set_sync_debug_mode("error")
        try:
            for masks in batches:
                for site, mask in masks.items():
                    window.add(site, mask)
                window.end_batch(narrow=True)
        finally:
            torch.cuda.set_sync_debug_mode("default")
    for site in batches[0]:
        expected = torch.stack([masks[site] for masks in batches]).any(0)
        assert torch.equal(window.active[site], expected)
