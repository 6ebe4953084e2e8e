"""Update rules, by PyTorch's formulas. The slots (velocity, m, ...) start at zero; ``step`` counts updates from 1."""

import numpy as np
from numpy.typing import ArrayLike

from fastrnn.reference.arrays import Array, float64


def sgd_update(
    parameter: ArrayLike,
    gradient: ArrayLike,
    velocity: ArrayLike,
    learning_rate: float,
    momentum: float,
    nesterov: bool,
    weight_decay: float,
) -> tuple[Array, Array]:
    """Stochastic gradient descent with momentum; all arrays have the parameter's shape.

    - g = gradient + weight_decay p
    - v = momentum v + g
    - p = p - learning_rate v, or with Nesterov's momentum p - learning_rate (g + momentum v)

    Returns
    -------
    parameter, velocity

    References
    ----------
    Sutskever, Martens, Dahl, Hinton (2013), On the importance of initialization and momentum in deep learning.
    """
    p, gradient, v = float64(parameter, gradient, velocity)
    g = gradient + weight_decay * p
    v = momentum * v + g
    direction = g + momentum * v if nesterov else v
    return p - learning_rate * direction, v


def adam_update(
    parameter: ArrayLike,
    gradient: ArrayLike,
    m: ArrayLike,
    v: ArrayLike,
    step: int,
    learning_rate: float,
    beta_1: float,
    beta_2: float,
    epsilon: float,
) -> tuple[Array, Array, Array]:
    """Adam; all arrays have the parameter's shape.

    - m = beta_1 m + (1 - beta_1) g,   m̂ = m / (1 - beta_1^step)
    - v = beta_2 v + (1 - beta_2) g²,  v̂ = v / (1 - beta_2^step)
    - p = p - learning_rate m̂ / (sqrt(v̂) + epsilon)

    Returns
    -------
    parameter, m, v

    References
    ----------
    Kingma, Ba (2015), Adam: a method for stochastic optimization, Algorithm 1.
    """
    p, g, m, v = float64(parameter, gradient, m, v)
    m = beta_1 * m + (1.0 - beta_1) * g
    v = beta_2 * v + (1.0 - beta_2) * g**2
    m_hat = m / (1.0 - beta_1**step)
    v_hat = v / (1.0 - beta_2**step)
    return p - learning_rate * m_hat / (np.sqrt(v_hat) + epsilon), m, v


def rmsprop_update(
    parameter: ArrayLike,
    gradient: ArrayLike,
    v: ArrayLike,
    velocity: ArrayLike,
    learning_rate: float,
    rho: float,
    momentum: float,
    epsilon: float,
) -> tuple[Array, Array, Array]:
    """RMSProp with momentum; all arrays have the parameter's shape.

    - v = rho v + (1 - rho) g²
    - velocity = momentum velocity + g / (sqrt(v) + epsilon)
    - p = p - learning_rate velocity

    Returns
    -------
    parameter, v, velocity

    References
    ----------
    Tieleman, Hinton (2012), Neural networks for machine learning, lecture 6e. The formula is that of PyTorch's
    torch.optim.RMSprop, not centred.
    """
    p, g, v, velocity = float64(parameter, gradient, v, velocity)
    v = rho * v + (1.0 - rho) * g**2
    velocity = momentum * velocity + g / (np.sqrt(v) + epsilon)
    return p - learning_rate * velocity, v, velocity


def adagrad_update(
    parameter: ArrayLike, gradient: ArrayLike, total: ArrayLike, learning_rate: float, epsilon: float
) -> tuple[Array, Array]:
    """Adagrad; all arrays have the parameter's shape.

    - total = total + g²
    - p = p - learning_rate g / (sqrt(total) + epsilon)

    Returns
    -------
    parameter, total

    References
    ----------
    Duchi, Hazan, Singer (2011), Adaptive subgradient methods for online learning and stochastic optimization, Figure 1
    with diagonal matrices, epsilon outside the root as PyTorch's torch.optim.Adagrad has it.
    """
    p, g, total = float64(parameter, gradient, total)
    total = total + g**2
    return p - learning_rate * g / (np.sqrt(total) + epsilon), total
