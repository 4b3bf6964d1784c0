"""Figures as a sentence has them."""


def in_two_digits(figure: float) -> str:
    """Two digits of a figure, without an exponent below a million.

    Example:
        >>> in_two_digits(843.2), in_two_digits(0.0512)
        ('840', '0.051')
    """
    return f"{float(f'{figure:.2g}'):g}"
