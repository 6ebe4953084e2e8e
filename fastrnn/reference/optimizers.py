"""Update rules, by PyTorch's formulas. The slots (velocity, m, ...) start at zero; ``step`` counts updates from 1."""

from collections.abc import Callable
from typing import Any, NamedTuple

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
    dampening: float = 0.0,
    step: int = 1,
) -> tuple[Array, Array]:
    """Stochastic gradient descent with momentum; all arrays have the parameter's shape.

    - g = gradient + weight_decay p
    - v = momentum v + (1 - dampening) g, the first time v = g
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
    v = momentum * v + (g if step == 1 else (1.0 - dampening) * g)
    direction = g + momentum * v if nesterov else v
    return p - learning_rate * direction, v


def adam_update(
    parameter: ArrayLike,
    gradient: ArrayLike,
    m: ArrayLike,
    v: ArrayLike,
    largest: ArrayLike,
    step: int,
    learning_rate: float,
    beta_1: float,
    beta_2: float,
    epsilon: float,
    weight_decay: float = 0.0,
    amsgrad: bool = False,
) -> tuple[Array, ...]:
    """Adam; all arrays have the parameter's shape.

    - g = gradient + weight_decay p
    - m = beta_1 m + (1 - beta_1) g,   m̂ = m / (1 - beta_1^step)
    - v = beta_2 v + (1 - beta_2) g²,  v̂ = v / (1 - beta_2^step)
    - p = p - learning_rate m̂ / (sqrt(v̂) + epsilon), with amsgrad of the largest v so far

    Returns
    -------
    parameter, m, v, the largest v

    References
    ----------
    Kingma, Ba (2015), Adam: a method for stochastic optimization, Algorithm 1.
    """
    p, g, m, v, largest = float64(parameter, gradient, m, v, largest)
    g = g + weight_decay * p
    m = beta_1 * m + (1.0 - beta_1) * g
    v = beta_2 * v + (1.0 - beta_2) * g**2
    m_hat = m / (1.0 - beta_1**step)
    largest = np.maximum(largest, v)
    v_hat = (largest if amsgrad else v) / (1.0 - beta_2**step)
    return p - learning_rate * m_hat / (np.sqrt(v_hat) + epsilon), m, v, largest


def rmsprop_update(
    parameter: ArrayLike,
    gradient: ArrayLike,
    v: ArrayLike,
    velocity: ArrayLike,
    mean: ArrayLike,
    learning_rate: float,
    rho: float,
    momentum: float,
    epsilon: float,
    weight_decay: float = 0.0,
    centered: bool = False,
) -> tuple[Array, ...]:
    """RMSProp with momentum; all arrays have the parameter's shape.

    - g = gradient + weight_decay p
    - v = rho v + (1 - rho) g²
    - mean = rho mean + (1 - rho) g, and with centered v - mean² in place of v
    - velocity = momentum velocity + g / (sqrt(v) + epsilon)
    - p = p - learning_rate velocity

    Returns
    -------
    parameter, v, velocity, mean

    References
    ----------
    Tieleman, Hinton (2012), Neural networks for machine learning, lecture 6e. The formula is that of PyTorch's
    torch.optim.RMSprop.
    """
    p, g, v, velocity, mean = float64(parameter, gradient, v, velocity, mean)
    g = g + weight_decay * p
    v = rho * v + (1.0 - rho) * g**2
    mean = rho * mean + (1.0 - rho) * g
    spread = np.maximum(v - mean**2, 0.0) if centered else v
    velocity = momentum * velocity + g / (np.sqrt(spread) + epsilon)
    return p - learning_rate * velocity, v, velocity, mean


def adagrad_update(
    parameter: ArrayLike,
    gradient: ArrayLike,
    total: ArrayLike,
    learning_rate: float,
    epsilon: float,
    weight_decay: float = 0.0,
) -> tuple[Array, Array]:
    """Adagrad; all arrays have the parameter's shape.

    - g = gradient + weight_decay p
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
    g = g + weight_decay * p
    total = total + g**2
    return p - learning_rate * g / (np.sqrt(total) + epsilon), total


def adamw_update(
    parameter: ArrayLike,
    gradient: ArrayLike,
    *slots: ArrayLike,
    learning_rate: float,
    weight_decay: float,
    **settings: Any,
) -> tuple[Array, ...]:
    """AdamW: p = (1 - learning_rate weight_decay) p, then as `adam_update` without weight decay.

    References
    ----------
    Loshchilov, Hutter (2019), Decoupled weight decay regularization, Algorithm 2.
    """
    (p,) = float64(parameter)
    decayed = (1.0 - learning_rate * weight_decay) * p
    m, v, largest = slots
    return adam_update(decayed, gradient, m, v, largest, learning_rate=learning_rate, **settings)


def nadam_update(
    parameter: ArrayLike,
    gradient: ArrayLike,
    m: ArrayLike,
    v: ArrayLike,
    step: int,
    learning_rate: float,
    beta_1: float,
    beta_2: float,
    epsilon: float,
    weight_decay: float,
    momentum_decay: float,
) -> tuple[Array, Array, Array]:
    """NAdam; all arrays have the parameter's shape.

    - g = gradient + weight_decay p
    - mu_t = beta_1 (1 - 0.96^(t momentum_decay) / 2), and M_t the product of mu_1 ... mu_t
    - m = beta_1 m + (1 - beta_1) g,  v = beta_2 v + (1 - beta_2) g²,  v̂ = v / (1 - beta_2^step)
    - p = p - learning_rate ((1 - mu_t) g / (1 - M_t) + mu_{t+1} m / (1 - M_{t+1})) / (sqrt(v̂) + epsilon)

    Returns
    -------
    parameter, m, v

    References
    ----------
    Dozat (2016), Incorporating Nesterov momentum into Adam; as PyTorch's torch.optim.NAdam.
    """
    p, g, m, v = float64(parameter, gradient, m, v)
    g = g + weight_decay * p
    mu = beta_1 * (1.0 - 0.5 * 0.96 ** (np.arange(1, step + 2) * momentum_decay))
    m = beta_1 * m + (1.0 - beta_1) * g
    v = beta_2 * v + (1.0 - beta_2) * g**2
    scale = np.sqrt(v / (1.0 - beta_2**step)) + epsilon
    move = (1.0 - mu[-2]) * g / (1.0 - np.prod(mu[:-1])) + mu[-1] * m / (1.0 - np.prod(mu))
    return p - learning_rate * move / scale, m, v


def adadelta_update(
    parameter: ArrayLike,
    gradient: ArrayLike,
    v: ArrayLike,
    u: ArrayLike,
    learning_rate: float,
    rho: float,
    epsilon: float,
    weight_decay: float,
) -> tuple[Array, Array, Array]:
    """Adadelta; all arrays have the parameter's shape.

    - g = gradient + weight_decay p
    - v = rho v + (1 - rho) g²
    - d = sqrt(u + epsilon) / sqrt(v + epsilon) g
    - u = rho u + (1 - rho) d²
    - p = p - learning_rate d

    Returns
    -------
    parameter, v, u

    References
    ----------
    Zeiler (2012), ADADELTA: an adaptive learning rate method, Algorithm 1.
    """
    p, g, v, u = float64(parameter, gradient, v, u)
    g = g + weight_decay * p
    v = rho * v + (1.0 - rho) * g**2
    d = np.sqrt(u + epsilon) / np.sqrt(v + epsilon) * g
    return p - learning_rate * d, v, rho * u + (1.0 - rho) * d**2


def adamax_update(
    parameter: ArrayLike,
    gradient: ArrayLike,
    m: ArrayLike,
    u: ArrayLike,
    step: int,
    learning_rate: float,
    beta_1: float,
    beta_2: float,
    epsilon: float,
    weight_decay: float,
) -> tuple[Array, Array, Array]:
    """Adamax; all arrays have the parameter's shape.

    - g = gradient + weight_decay p
    - m = beta_1 m + (1 - beta_1) g,  u = max(beta_2 u, |g| + epsilon)
    - p = p - learning_rate m / (1 - beta_1^step) / u

    Returns
    -------
    parameter, m, u

    References
    ----------
    Kingma, Ba (2015), Adam: a method for stochastic optimization, Algorithm 2; as PyTorch's torch.optim.Adamax.
    """
    p, g, m, u = float64(parameter, gradient, m, u)
    g = g + weight_decay * p
    m = beta_1 * m + (1.0 - beta_1) * g
    u = np.maximum(beta_2 * u, np.abs(g) + epsilon)
    return p - learning_rate * m / (1.0 - beta_1**step) / u, m, u


class Rule(NamedTuple):
    """An update rule: how many arrays of a parameter's shape it keeps, and whether it is told the step."""

    update: Callable[..., tuple[Array, ...]]
    slots: int
    counts_steps: bool = False


RULES = {
    "sgd": Rule(sgd_update, 1, True),
    "adam": Rule(adam_update, 3, True),
    "rmsprop": Rule(rmsprop_update, 3),
    "adagrad": Rule(adagrad_update, 1),
    "adamw": Rule(adamw_update, 3, True),
    "nadam": Rule(nadam_update, 2, True),
    "adadelta": Rule(adadelta_update, 2),
    "adamax": Rule(adamax_update, 2, True),
}
"""Every optimizer's rule."""
