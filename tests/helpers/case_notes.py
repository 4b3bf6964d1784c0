"""Case notes to render: plain ones, hostile ones, and large ones."""

import math

import torch

from torchvitals.callbacks import Diagnosis, Problem, Remedy
from torchvitals.callbacks.monitoring.recording.scales import SCALES
from torchvitals.callbacks.reporting.case_notes import CaseNotes
from torchvitals.callbacks.reporting.chart import Chart
from torchvitals.callbacks.reporting.curve import Curve
from torchvitals.callbacks.reporting.finding import Finding
from torchvitals.callbacks.reporting.layer_map import LayerMap

HOSTILE = (
    "</script><script>document.title='run'</script>",
    "<img src=x onerror=\"document.title='run'\">",
    "{{ 7 * 7 }}{% raw %}",
    "</script x",
    "]]>--><!--<script y",
    "a\u2028b' onclick='document.title=1' \\\" \u202e &lt;b&gt;",
)
CODE = 'MLPClassifier(64, 10, activation="leaky_relu")  # a < b & c'


def diagnosis(problem=Problem.DEAD_RELU, severity="critical", layer="fc2", step=40):
    return Diagnosis(
        problem,
        severity,
        layer,
        step,
        epoch=1,
        evidence=f"99% of {layer} are dead.",
        measurements={"dead_share": 0.99, "loss": math.nan},
        remedies=(Remedy("Let a gradient through.", CODE), Remedy("Look at the data.")),
    )


def layer_map(quantity, layers, steps, values):
    centred = quantity == "update_ratio"
    return LayerMap(quantity, "How to read it.", layers, steps, values, SCALES[quantity], centred)


def plain_notes(layers=("fc1", "fc2", "fc3"), **changes):
    """A sick run of 100 steps, reported each tenth."""
    steps = list(range(9, 100, 10))
    losses = [2.0 - 0.01 * step for step in range(100)]
    losses[70:] = [math.nan] * 30
    rows = torch.arange(1, 11) / 10 * torch.arange(1, len(layers) + 1).unsqueeze(1) / len(layers)
    norms = 10.0 ** (-8 * rows)
    norms[0, 3], norms[1, 4] = math.inf, math.nan
    settings = dict(
        title="MLPClassifier",
        health="critical",
        verdict="1 problem: dead ReLUs in fc2 since step 40.",
        outcome="Finished after 100 steps.",
        findings=(
            Finding(diagnosis(layer=layers[1]), 40),
            Finding(diagnosis(Problem.UNSTABLE_LOSS, "warning", None, 20), 20, 60),
        ),
        charts=(
            Chart(
                "Loss",
                (
                    Curve("training loss of a batch", range(100), losses, "faint"),
                    Curve("training loss, mean of 10 batches", range(5, 100, 10), losses[5::10]),
                    Curve("validation loss", [50, 100], [1.75, 1.25], "dots"),
                ),
                (2.303, "best constant prediction"),
            ),
            Chart("Learning rate", (Curve("learning rate", steps, [1e-3 * s for s in steps]),)),
        ),
        maps=(
            layer_map("grad_norm", layers, steps, norms.double()),
            layer_map("dead_relu", layers, steps, rows.double()),
            layer_map("update_ratio", layers, steps, norms.double()),
        ),
        facts={"model": "MLPClassifier", "parameters": "1,234"},
    )
    return CaseNotes(**{**settings, **changes})


def hostile_notes():
    """Notes in which every text is an attack."""
    text = HOSTILE[0] + HOSTILE[1]
    found = Diagnosis(
        Problem.DEAD_RELU, "critical", HOSTILE[1], 40, 1, text, {text: 1.0}, (Remedy(text, text),)
    )
    return plain_notes(
        HOSTILE,
        title=text,
        verdict=text,
        outcome=text,
        findings=(Finding(found, 40),),
        remarks=(text,),
        charts=(Chart(text, (Curve(text, [0, 99], [1.0, 2.0]),), (1.5, text)),),
        facts={text: text},
    )


def large_notes(batches=100_000, layers=300, reports=2_000):
    """A long training of a deep network, with a spike in a curve and one in a map."""
    generator = torch.Generator().manual_seed(0)
    losses = torch.rand(batches, generator=generator)
    losses[batches // 3] = 40.0
    names = [f"encoder.blocks.{i}.attention.projection" for i in range(layers)]
    steps = [i * batches // reports for i in range(reports)]
    values = 10 ** (torch.rand(layers, reports, generator=generator).double() - 4)
    values[layers // 2, reports // 3] = 9.0
    charts = (Chart("Loss", (Curve("training loss", range(batches), losses.tolist()),)),)
    quantities = ("grad_norm", "dead_relu", "saturated", "update_ratio")
    maps = tuple(layer_map(quantity, names, steps, values) for quantity in quantities)
    return plain_notes(charts=charts, maps=maps)
