"""The layers that read ids: Embedding and OneHot."""

from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from fastrnn import initializers
from fastrnn.initializers import AnyInitializer, Shape
from fastrnn.layers.base import Layer


class IdLayer(Layer, frozen=True):
    """What the layers share that read ids from 0 up to their ``vocabulary``, and below it."""

    takes_ids: ClassVar[bool] = True

    vocabulary: int

    def __post_init__(self) -> None:
        super().__post_init__()
        self._check_size("vocabulary")


class Embedding(IdLayer, frozen=True):
    """A vector for each id: ``y[n, t] = embeddings[x[n, t]]``; the first layer of a model.

    Weights: embeddings (V, E), uniform in ±0.05 at first, as in Keras.

    In front of a network that reads characters, ``embeddings_initializer=Normal(1.0)`` of `fastrnn.initializers`, which
    is PyTorch's, learns faster; it is what `fastrnn text train` takes. Held-out loss in nats, at ±0.05, at a standard
    deviation of 1 / sqrt(E), and at 1: 128 LSTM units after 6 epochs of 120,000 characters with E = 64, Alice's
    Adventures in Wonderland 1.76, 1.77, 1.68 (mean of 3 seeds), the help topics of Python 1.65, 1.65, 1.41 (of 2); 64
    units after 10 epochs telling from 6,090 surnames of 731 different characters which of 18 languages they are from,
    E = 32, 0.97, 0.97, 0.92 (of 3).

    Parameters
    ----------
    vocabulary : V, number of ids; they are 0 ... V - 1
    size : E, elements of a vector
    embeddings_initializer : a name or an object of `fastrnn.initializers`
    name : what the weights' names begin with; None is ``embedding``, ``embedding_1``, ... in a model

    Raises
    ------
    ValueError, TypeError
        A value that is none of these.

    References
    ----------
    Bengio, Ducharme, Vincent and Jauvin (2003), A neural probabilistic language model, section 2.
    """

    kind: ClassVar[str] = "embedding"

    size: int
    embeddings_initializer: str | AnyInitializer = "uniform"

    def __post_init__(self) -> None:
        super().__post_init__()
        self._check_size("size")
        self._check_initializer("embeddings_initializer")

    @property
    def output_size(self) -> int:
        return self.size

    def weight_shapes(self, input_size: int) -> dict[str, Shape]:
        return {"embeddings": (self.vocabulary, self.size)}

    def initial_weights(self, input_size: int, rng: np.random.Generator) -> dict[str, NDArray[np.float64]]:
        initializer = initializers.get(self.embeddings_initializer)
        return {"embeddings": initializer.draw(rng, (self.vocabulary, self.size), self.vocabulary)}


class OneHot(IdLayer, frozen=True):
    """A vector for each id that is 1 at the id and 0 elsewhere, which is never made; the first layer of a model.

    The recurrent layer above, which has to follow at once, takes the ids' rows of its kernel.

    Parameters
    ----------
    vocabulary : V, number of ids; they are 0 ... V - 1
    name : its name in the summary; None is ``one_hot``

    Raises
    ------
    ValueError, TypeError
        A value that is none of these.
    """

    kind: ClassVar[str] = "one_hot"

    @property
    def output_size(self) -> int:
        return self.vocabulary

    def weight_shapes(self, input_size: int) -> dict[str, Shape]:
        return {}

    def initial_weights(self, input_size: int, rng: np.random.Generator) -> dict[str, NDArray[np.float64]]:
        return {}
