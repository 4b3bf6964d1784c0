"""The gradient noise scale."""

from .arguments import number


def gradient_noise(
    small_squared_norm: float, big_squared_norm: float, small_batch: float, big_batch: float
) -> tuple[float, float]:
    r"""Estimate the gradient's noise and signal from two batch sizes, without bias.

    .. math::
        tr(\Sigma) = \frac{|G_s|^2 - |G_b|^2}{1/B_s - 1/B_b}, \quad
        |G|^2 = \frac{B_b |G_b|^2 - B_s |G_s|^2}{B_b - B_s}

    Their ratio is the simple noise scale, the batch size beyond which larger batches have
    diminishing returns. Each estimate is noisy and may be negative: average both over time before
    dividing.

    Args:
        small_squared_norm: Squared norm of a gradient over ``small_batch`` samples, or the mean
            of several such.
        big_squared_norm: Squared norm of a gradient over ``big_batch`` samples.
        small_batch: Number of samples of the smaller batch.
        big_batch: Number of samples of the bigger batch.

    Returns:
        Trace of the covariance of one sample's gradient, and the squared norm of the true one.

    Raises:
        TypeError: If a batch is not a number.
        ValueError: If ``small_batch`` is not positive or ``big_batch`` is not larger than it.

    Reference:
        McCandlish et al. 2018, "An empirical model of large-batch training", appendix A.1,
        https://arxiv.org/abs/1812.06162.

    Example:
        >>> gradient_noise(3.0, 2.0, small_batch=1, big_batch=2)
        (2.0, 1.0)
    """
    number("small_batch", small_batch, above=0)
    number("big_batch", big_batch, above=small_batch)
    noise = (small_squared_norm - big_squared_norm) / (1 / small_batch - 1 / big_batch)
    signal = (big_batch * big_squared_norm - small_batch * small_squared_norm) / (
        big_batch - small_batch
    )
    return noise, signal
