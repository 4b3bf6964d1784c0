"""Colour scale of each quantity's heat maps."""

from .heat_map import Scale

SCALES = {
    "grad_norm": Scale(
        "gradient norm",
        low=1e-8,
        high=1e1,
        logarithmic=True,
        ticks={1e-8: "no signal", 1e-6: "a millionth", 1e-4: "1/10,000", 1e-2: "1/100", 1.0: "1"},
    ),
    "update_ratio": Scale(
        "update / weight",
        low=1e-6,
        high=1.0,
        logarithmic=True,
        ticks={1e-6: "a millionth", 1e-4: "1/10,000", 1e-3: "1/1,000", 1e-2: "1/100", 1.0: "1"},
    ),
    "dead_relu": Scale.share("dead units"),
    "saturated": Scale.share("share of saturated activations"),
    "dormant": Scale.share("share of dormant units"),
    "drift": Scale(
        "drift of the activations' means", ticks={0.0: "none", 0.5: "half a std", 1.0: "one std"}
    ),
    "activation_mean": Scale("mean of the activations", low=-1.0),
    "activation_variance": Scale(
        "variance of the activations",
        low=1e-6,
        high=1e2,
        logarithmic=True,
        ticks={1e-6: "a millionth", 1e-4: "1/10,000", 1e-2: "1/100", 1.0: "1", 1e2: "100"},
    ),
}
