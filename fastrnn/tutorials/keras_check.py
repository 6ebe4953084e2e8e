"""keras-check: a SimpleRNN computed by hand, its parameters counted, and three short sequences learned by heart."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

import fastrnn as fr
from fastrnn.tutorials.comparison import compare
from fastrnn.tutorials.pictures import finish, panels

if TYPE_CHECKING:
    from matplotlib.figure import Figure

Array = NDArray[Any]

EXAMPLE = np.array([[[7, 3, 12], [13, 27, 16], [48, 45, 54]]])
"""(1, 3, 3): one sequence of three steps, three features each."""

X = np.array([[[1, 2], [2, 3], [3, 4]], [[5, 6], [6, 7], [7, 8]], [[9, 10], [10, 11], [11, 12]]])
Y = np.array([[10], [20], [30]])
"""(3, 3, 2) and (3, 1): the sequences, and the number that each is to give."""

PUBLISHED_LOSS = 0.0070
PUBLISHED = (10.000, 20.000, 29.855)


def states_by_hand(weights: Sequence[Array], x: ArrayLike) -> Array:
    """Compute h_t = tanh(x_t W + h_{t-1} U + b), h_0 = 0, for every step of one sequence.

    Parameters
    ----------
    weights : W (F, H), U (H, H), b (H,): the first three of ``model.get_weights()``
    x : (T, F)

    Returns
    -------
    states : (T, H)
    """
    kernel, recurrent_kernel, bias = weights
    h, states = np.zeros(len(bias)), []
    for x_t in np.asarray(x):
        h = np.tanh(x_t @ kernel + h @ recurrent_kernel + bias)
        states.append(h)
    return np.array(states)


def states_of_model(model: fr.Sequential, x: Array) -> Array:
    """Return the state (T, H) after every step of one sequence x (1, T, F), as ``predict`` gives it."""
    return np.concatenate([model.predict(x[:, :t], return_state=True)[1] for t in range(1, x.shape[1] + 1)])


class Learned(NamedTuple):
    """What training came to: the weights by name before and after, and of epochs now and then the predictions."""

    model: fr.Sequential
    before: dict[str, Array]
    after: dict[str, Array]
    losses: list[float]
    epochs: list[int]
    predictions: Array

    @property
    def loss(self) -> float:
        """The loss of the trained model."""
        return float(np.mean((self.model.predict(X) - Y) ** 2))


def learn(epochs: int = 2000, seed: int = 0, callbacks: Sequence[Any] = ()) -> Learned:
    """Train SimpleRNN(4) + Dense(1) on the three sequences with Adam(0.01), one update an epoch.

    Of seeds 0 to 39 the loss ends between 0.0003 and 0.02.
    """
    model = fr.Sequential([fr.SimpleRNN(4), fr.Dense(1)], input_size=2, seed=seed)
    trainer = fr.Trainer(model, loss="mse", optimizer=fr.Adam(0.01), seed=seed)
    before = _weights(model)
    noted, predictions = [0], [model.predict(X)[:, 0]]

    def note(epoch: int, figures: dict[str, float]) -> None:
        if (epoch + 1) % 10 == 0:
            noted.append(epoch + 1)
            predictions.append(model.predict(X)[:, 0])

    history = trainer.fit(X, Y, epochs=epochs, callbacks=[note, *callbacks], verbose=0)
    return Learned(model, before, _weights(model), history.history["loss"], noted, np.array(predictions))


def _weights(model: fr.Sequential) -> dict[str, Array]:
    return {name: weight.copy() for name, weight in model.parameters().items()}


def draw(learned: Learned) -> "Figure":
    """Draw the three predictions on their way to 10, 20 and 30, and the loss."""
    figure, (upper, lower) = panels(2)
    for target, course, color in zip(Y[:, 0], learned.predictions.T, ("#0072b2", "#d55e00", "#009e73"), strict=True):
        upper.axhline(target, color="#9a9a9a", linewidth=1, linestyle=(0, (4, 3)))
        upper.plot(learned.epochs, course, color=color, label=f"to {target}")
    finish(upper, "The three predictions", "epoch", "prediction")
    lower.plot(range(1, len(learned.losses) + 1), learned.losses, color="#0072b2", label="here")
    lower.axhline(PUBLISHED_LOSS, color="#9a9a9a", linewidth=1, linestyle=(0, (4, 3)), label="published, at the end")
    lower.set_yscale("log")
    finish(lower, "Training", "epoch", "mean squared error")
    return figure


def main(epochs: int = 2000, seed: int = 0, plot: str | Path | None = None, callbacks: Sequence[Any] = ()) -> None:
    """Print states by hand and by `predict`, parameters counted, weights, and the figures beside those published."""
    learned = learn(epochs, seed, callbacks)
    print("1. One sequence by hand: h_t = tanh(x_t W + h_{t-1} U + b), then y = h_3 V + c\n")
    model = fr.Sequential([fr.SimpleRNN(2), fr.Dense(1)], input_size=3, seed=seed)
    _print_weights(model.parameters())
    by_hand, predicted = states_by_hand(model.get_weights()[:3], EXAMPLE[0]), states_of_model(model, EXAMPLE)
    rows = [(f"h_{t + 1}, x = {EXAMPLE[0, t]}", _shown(by_hand[t]), _shown(predicted[t])) for t in range(3)]
    kernel, bias = model.get_weights()[3:]
    rows.append(("y", _shown(by_hand[-1] @ kernel + bias), _shown(model.predict(EXAMPLE)[0])))
    print(compare(rows, ("", "by hand", "predict")))
    print("Numbers as large as these drive tanh to -1 and 1.")

    print("\n2. Parameters: F H + H H + H of SimpleRNN(H) for F features, H + 1 of Dense(1)\n")
    for units, published in ((3, "18 + 4 = 22"), (4, "28 + 5 = 33")):
        fr.Sequential([fr.SimpleRNN(units), fr.Dense(1)], input_size=2).summary()
        print(f"published: {published}\n")

    print(f"3. Three sequences learned by SimpleRNN(4) + Dense(1) in {epochs} epochs of Adam(0.01)\n")
    for when, weights in (("before", learned.before), ("after", learned.after)):
        print(f"Weights {when}:")
        _print_weights(weights)
    rows = [("loss", f"{learned.loss:.4f}", f"{PUBLISHED_LOSS:.4f}")]
    for target, ours, given in zip(Y[:, 0], learned.model.predict(X)[:, 0], PUBLISHED, strict=True):
        rows.append((f"prediction for {target}", f"{ours:.3f}", f"{given:.3f}"))
    print(compare(rows))
    if plot is not None:
        draw(learned).savefig(plot, dpi=150)
        print(f"plot: {plot}")


def _print_weights(weights: Mapping[str, Array]) -> None:
    for name, weight in weights.items():
        print(f"{name} =\n{_shown(weight)}")
    print()


def _shown(array: Array) -> str:
    return np.array2string(array, precision=4, suppress_small=True, floatmode="fixed")
