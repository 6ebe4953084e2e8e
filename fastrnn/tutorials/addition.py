"""addition: two 8-bit numbers added bit by bit from the right; the carry has to be found and remembered."""

from itertools import zip_longest
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

BITS = 8
SHOWN, AVERAGED = 1000, 100
"""Steps from one look at the network to the next, and steps to a point of the error curve."""

PUBLISHED = (
    3.45638663,
    3.63389116,
    3.91366595,
    3.72191702,
    3.5852713,
    2.53352328,
    0.57691441,
    1.42589952,
    0.47477457,
    0.21595037,
)
"""The summed error of the 8 bits at steps 0, 1000, ..., 9000; seed 0."""


def to_bits(numbers: ArrayLike, bits: int = BITS) -> Array:
    """Write whole numbers of any shape as bits along a new last axis, the lowest first."""
    return (np.asarray(numbers)[..., None] >> np.arange(bits)) & 1


def to_numbers(bits: Array) -> Array:
    """Read the bits along the last axis, the lowest first, as whole numbers."""
    return np.asarray(np.sum(bits << np.arange(bits.shape[-1]), axis=-1))


def make_data(pairs: Array, bits: int = BITS) -> tuple[Array, Array]:
    """Return x (N, bits, 2), the two numbers of each pair (N, 2) bit by bit, and y (N, bits, 1), their sum."""
    x = np.stack([to_bits(numbers, bits) for numbers in pairs.T], axis=2)
    return x, to_bits(pairs.sum(axis=1), bits)[:, :, None]


class Look(NamedTuple):
    """The network at one step: the pair it is about to learn from, the 8 outputs, the lowest bit first."""

    step: int
    pair: Array
    outputs: Array

    @property
    def error(self) -> float:
        """The summed error of the bits."""
        return float(np.abs(self.outputs - to_bits(self.pair.sum())).sum())


class Learned(NamedTuple):
    """What training came to: looks at the network on its way, and the summed error as means of `AVERAGED` steps."""

    model: fr.Sequential
    looks: list[Look]
    errors: Array


def learn(steps: int = 10_000, seed: int = 0) -> Learned:
    """Train 16 sigmoid units and a sigmoid output without biases, a random pair of numbers below 128 a step.

    Random numbers come from NumPy's old generator in the order of the published program: seed 0 is its run, digit by
    digit, hence float64 too. Each of seeds 0 to 19 ends with all pairs of 8 bits right.
    """
    if steps < 1:
        raise ValueError(f"steps={steps}; expected a whole number, at least 1")
    if not 0 <= seed < 2**32:
        raise ValueError(f"seed={seed}; expected a whole number from 0 to 2**32 - 1")
    layers = [
        fr.SimpleRNN(16, activation="sigmoid", use_bias=False, return_sequences=True),
        fr.Dense(1, activation="sigmoid", use_bias=False),
    ]
    model = fr.Sequential(layers, input_size=2, dtype="float64")
    random = np.random.RandomState(seed)
    kernel, output_kernel, recurrent_kernel = (random.uniform(-1, 1, shape) for shape in ((2, 16), (16, 1), (16, 16)))
    model.set_weights([kernel, recurrent_kernel, output_kernel])
    pairs = random.randint(2 ** (BITS - 1), size=(steps, 2))
    x, y = make_data(pairs)

    # The published update is -0.1 times the gradient of the halved squared error, summed over the bits; "mse" is its
    # double, divided by their number.
    trainer = fr.Trainer(model, loss="mse", optimizer=fr.SGD(0.1 * BITS / 2), metrics=["mae"])
    looks, errors = [], []
    for step in range(0, steps, AVERAGED):
        if step % SHOWN == 0:
            looks.append(Look(step, pairs[step], model.predict(x[step : step + 1])[0, :, 0]))
        part = slice(step, step + AVERAGED)
        history = trainer.fit(x[part], y[part], epochs=1, batch_size=1, shuffle=False, verbose=0)
        errors.append(BITS * history.history["mae"][0])
    return Learned(model, looks, np.array(errors))


def add(model: fr.Sequential, pairs: Array, bits: int = BITS) -> Array:
    """Let the network add pairs (N, 2) of numbers whose sums have that many bits."""
    outputs = model.predict(make_data(pairs, bits)[0])[:, :, 0]
    return to_numbers((outputs > 0.5).astype(np.int64))


def share_right(model: fr.Sequential, pairs: Array, bits: int = BITS) -> float:
    """Return the share of pairs whose sum has all its bits right."""
    return float(np.mean(add(model, pairs, bits) == pairs.sum(axis=1)))


def every_pair() -> Array:
    """Return all 128 x 128 pairs of numbers below 128."""
    return np.indices((128, 128)).reshape(2, -1).T


def random_pairs(bits: int, count: int = 10_000) -> Array:
    """Draw pairs of numbers whose sums have at most that many bits, the same at each call."""
    return np.random.default_rng(bits).integers(2 ** (bits - 1), size=(count, 2))


def draw(learned: Learned) -> "Figure":
    """Draw the error while the network learns, and where the published run was."""
    figure, (ax,) = panels(1, 4)
    steps = AVERAGED * (np.arange(len(learned.errors)) + 0.5)
    ax.plot(steps, learned.errors, color="#0072b2", label=f"mean of {AVERAGED} steps")
    at = [look.step for look in learned.looks]
    ax.plot(at, [look.error for look in learned.looks], "o", color="#d55e00", markersize=7, label="one step")
    published = PUBLISHED[: len(at)]
    ax.plot(at[: len(published)], published, "x", color="#222222", markersize=5, label="published")
    ax.set_ylim(bottom=0)
    finish(ax, "Adding two numbers bit by bit", "step", "summed error of the 8 bits")
    return figure


def main(steps: int = 10_000, seed: int = 0, plot: str | Path | None = None) -> None:
    """Print what the network adds while it learns, beside the published errors, and how much it adds rightly then."""
    learned = learn(steps, seed)
    rows = []
    for look, published in zip_longest(learned.looks, PUBLISHED[: len(learned.looks)]):
        bits, truth = np.rint(look.outputs).astype(int), to_bits(look.pair.sum())
        errors = [None if error is None else f"{error:.8f}" for error in (look.error, published)]
        told = f"{look.pair[0]} + {look.pair[1]} = {to_numbers(bits)}"
        rows.append((str(look.step), *errors, _word(bits), _word(truth), told))
    print(compare(rows, ("step", "error", "published", "prediction", "truth", "in decimal")))
    print("published: the errors that the author's program printed; those of seed 0 are the same run, digit by digit")
    print()
    shares = [("all 128 x 128 pairs of 8 bits", share_right(learned.model, every_pair()))]
    for bits in (16, 32):
        shares += [(f"10,000 random pairs of {bits} bits", share_right(learned.model, random_pairs(bits), bits))]
    print(compare([(name, f"{100 * share:.2f} %") for name, share in shares], ("", "all bits right")))
    if plot is not None:
        draw(learned).savefig(plot, dpi=150)
        print(f"plot: {plot}")


def _word(bits: Array) -> str:
    """Write bits as numbers are written, the highest first."""
    return "".join(map(str, bits[::-1]))
