"""AdamW."""

from typing import ClassVar

from fastrnn.optimizers.adam import Adam


class AdamW(Adam, frozen=True):
    """Adam whose weights decay beside the gradient's step: ``p -= learning_rate weight_decay p``, then as `Adam`.

    Parameters
    ----------
    learning_rate, beta_1, beta_2, epsilon, amsgrad : as in `Adam`
    weight_decay : share of the parameter, times the learning rate, that is taken off it at every update; at least 0

    Raises
    ------
    ValueError
        A value outside its range.

    References
    ----------
    Loshchilov and Hutter (2019), Decoupled weight decay regularization, algorithm 2.
    """

    kind: ClassVar[str] = "adamw"

    weight_decay: float = 0.01
