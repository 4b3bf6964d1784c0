"""N-grams of token ids as bucket numbers: the hashing trick."""

import torch
from torch import Tensor
from torch.nn.functional import pad

from .arguments import whole_number, whole_tensor
from .hashing import shift_right, splitmix64


def hash_ngrams(tokens: Tensor, n: int, buckets: int) -> Tensor:
    r"""Hash the n-grams of orders 1 to ``n`` that start at each position to buckets.

    With :math:`s` denoting SplitMix64, the hash of tokens :math:`t_1, \dots, t_k` is
    :math:`h_k = s(h_{k-1} + t_k)` from :math:`h_0 = 0`, and its bucket is
    :math:`1 + \lfloor h_k / 2 \rfloor \bmod (b - 1)`. It depends on the tokens and their order
    alone: not on the row, the position, the padding, the device or the process.

    Args:
        tokens: Token ids, int64, shape ``(N, L)``; 0 is padding and no other id is special.
        n: Highest order, at least 1.
        buckets: Number of buckets b, including the one for padding, at least 2.

    Returns:
        Tensor of shape ``(N, L, n)``, int64: 1 to ``buckets - 1`` for the n-gram of order
        ``k + 1`` at ``[:, :, k]``; 0 where it contains padding or extends beyond the row's end.

    Raises:
        TypeError: If ``tokens`` are not a tensor of whole numbers, or ``n`` or ``buckets`` is not a
            whole number.
        ValueError: If ``tokens`` are of another shape, or ``n`` or ``buckets`` is too small.

    Example:
        >>> hash_ngrams(torch.tensor([[7, 3, 7, 0]]), n=2, buckets=100)[0].T
        tensor([[29, 41, 29,  0],
                [29, 56,  0,  0]])

    Reference:
        Weinberger et al. 2009, "Feature hashing for large scale multitask learning"; Joulin et
        al. 2017, "Bag of tricks for efficient text classification", section 2.2.
    """
    tokens = whole_tensor("tokens", tokens, "N", "L")
    n, buckets = whole_number("n", n), whole_number("buckets", buckets, least=2)
    length = tokens.shape[1]
    ahead = pad(tokens, (0, n - 1))
    state, real = torch.zeros_like(tokens), torch.ones_like(tokens, dtype=torch.bool)
    orders = []
    for k in range(n):
        token = ahead[:, k : k + length]
        state = splitmix64(state + token)
        real = real & (token != 0)
        orders.append(torch.where(real, 1 + shift_right(state, 1) % (buckets - 1), 0))
    return torch.stack(orders, -1)
