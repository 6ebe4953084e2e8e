"""Sequential: a stack of layers that predicts, and tells the gradients of a loss."""

from __future__ import annotations

import os
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

import numpy as np
from numpy.typing import ArrayLike, DTypeLike, NDArray

from fastrnn.engine.columns import Columns
from fastrnn.engine.lane import LANE_BYTES, Lane
from fastrnn.engine.network import Network, cells_of, check_stack, output_form, vocabulary_of
from fastrnn.engine.plan import Data, Plan
from fastrnn.engine.program import Training
from fastrnn.engine.team import Team
from fastrnn.engine.threads import choose_threads
from fastrnn.ground import checks
from fastrnn.ground.attributes import FixedList, Guarded
from fastrnn.ground.locks import new_lock
from fastrnn.ground.unknown import explained
from fastrnn.layers import AnyLayer, Layer
from fastrnn.losses import Loss
from fastrnn.model.states import state_form
from fastrnn.model.stream import Stream, check_batch
from fastrnn.model.summary import table

Array = NDArray[Any]
PLANS = 8
"""Plans that a model keeps: shapes and purposes that come back find their buffers ready."""
ROWS = 256
"""Sequences that ``predict`` takes at a time if not told."""


def check_recompute(recompute: str | None, tbptt: Any, reads_backwards: bool) -> bool:
    """Return whether states are computed again on the way back.

    Raises
    ------
    ValueError
        Neither None nor "sqrt", or with something that it does not go with.
    """
    if recompute is None:
        return False
    checks.one_of("recompute", recompute, ("sqrt",))
    if tbptt is not None:
        raise ValueError(
            f"recompute={recompute!r} with tbptt={tbptt!r}; expected one of them: recompute is for full BPTT"
        )
    if reads_backwards:
        raise ValueError(
            f"recompute={recompute!r} with a layer that reads backwards; expected layers that read forwards: "
            f"leave it out"
        )
    return True


def _rebuilt(
    layers: list[Layer], input_size: int | None, dtype: str, seed: int, weights: list[Array] | None
) -> Sequential:
    """Return a model with the given weights, whatever their values."""
    model = Sequential(layers, input_size, dtype, seed)
    if weights is not None:
        for view, array in zip(model._views().values(), weights, strict=True):
            view[...] = array
    return model


_SETTLED = "another model: Sequential(layers, input_size, dtype, seed)"
"""What changes what a model was made with."""


@explained
class Sequential(Guarded):
    """Layers one after another, at least one of them recurrent.

    Parameters
    ----------
    layers : list of layers
    input_size : number F of features; None takes it from the first data, or from an Embedding or OneHot at the bottom
    dtype : "float32" or "float64"
    seed : of the initial weights; the same seed gives the same weights

    Attributes
    ----------
    layers, input_size, dtype, seed : as given; they cannot be set
    state_sizes : sizes of the states: for each recurrent cell (H,), or (H, H) for an LSTM's h and c
    reads_backwards : whether a layer reads its input from the last step to the first

    Raises
    ------
    ValueError, TypeError
        A stack whose layers do not fit, an unknown dtype, an input size or a seed that is no whole number.
    """

    _told: ClassVar[Mapping[str, str]] = {
        **dict.fromkeys(("layers", "dtype", "seed", "state_sizes", "reads_backwards", "output_form"), _SETTLED),
        "input_size": f"model.build(input_size) before the first fit, or {_SETTLED}",
        "built": "model.build(input_size)",
        "network": "other weights: model.set_weights",
    }

    def __init__(
        self, layers: Sequence[Layer], input_size: int | None = None, dtype: DTypeLike = "float32", seed: int = 0
    ) -> None:
        self.layers: list[AnyLayer] = FixedList(check_stack(list(layers)), _SETTLED)
        self.dtype = checks.one_of(
            "dtype", np.dtype(dtype).name if dtype in (np.float32, np.float64) else dtype, ("float32", "float64")
        )
        self.seed = checks.seed(seed)
        cells = cells_of(self.layers)
        self.state_sizes: list[tuple[int, ...]] = FixedList([cell.state_sizes for cell in cells], _SETTLED)
        self.reads_backwards = any([cell.reads_backwards for cell in cells])
        self._vocabulary = vocabulary_of(self.layers)
        self._lock = new_lock()
        self._network: Network | None = None
        self._plans: OrderedDict[Any, Plan] = OrderedDict()
        self._lane: Lane | None = None
        known = self._vocabulary if input_size is None else input_size
        if known is not None:
            self.build(known)

    def __reduce__(self) -> tuple[Any, ...]:
        """Copy and pickle as layers and weights; buffers and plans are made anew."""
        return _rebuilt, (
            self.layers,
            self.input_size,
            self.dtype,
            self.seed,
            self.get_weights() if self.built else None,
        )

    # ------------------------------------------------------------------------------------------ weights

    @property
    def built(self) -> bool:
        """Whether the weights exist."""
        return self._network is not None

    @property
    def input_size(self) -> int | None:
        """Number of features, or None before the model is built."""
        return self._network.input_size if self._network else None

    @property
    def network(self) -> Network:
        """Layers with their parameters.

        Raises
        ------
        ValueError
            The model is not built yet.
        """
        if self._network is None:
            raise ValueError(
                "the model has no weights yet; expected input_size=..., model.build(input_size) or a first fit"
            )
        return self._network

    def build(self, input_size: int) -> None:
        """Make the weights for ``input_size`` features.

        Raises
        ------
        ValueError
            Not a whole number from 1 up, or the model was built for another number.
        """
        size = checks.positive_int("input_size", input_size)
        with self._lock:
            if self._network is None:
                self._network = Network(self.layers, size, self.dtype, self.seed)
        if self._network.input_size != size:
            raise ValueError(f"input_size is {size}; expected {self._network.input_size}: the model is built already")

    def parameters(self) -> dict[str, Array]:
        """Return the weights by name; they are views: writing to one changes the model."""
        self.network.weights_are_shown()
        return self._views()

    def get_weights(self) -> list[Array]:
        """Return copies of the weights in Keras's order and layout."""
        return [view.copy() for view in self._views().values()]

    def _views(self) -> dict[str, Array]:
        return self.network.named(self.network.flat)

    def set_weights(self, weights: Sequence[ArrayLike]) -> None:
        """Set all weights, in the order of `get_weights`.

        Raises
        ------
        ValueError, TypeError
            Another number of arrays, another shape, not numbers, NaN or infinity; the model keeps its weights.
        """
        views = self._views()
        if len(weights) != len(views):
            raise ValueError(f"weights has {len(weights)} arrays; expected {len(views)}: {', '.join(views)}")
        checked = []
        for (name, view), value in zip(views.items(), weights, strict=True):
            checked.append(checks.weights(name, value, view.shape, self.dtype))
        flat = np.zeros_like(self.network.flat)
        for view, array in zip(self.network.named(flat).values(), checked, strict=True):
            view[...] = array
        self.network.write(flat)

    def count_params(self) -> int:
        """Return the number of parameters."""
        return self.network.count

    def summary(self) -> None:
        """Print layers, output shapes and numbers of parameters."""
        print(table(self.network))

    # ------------------------------------------------------------------------------------------ computing

    def predict(
        self,
        x: ArrayLike,
        lengths: ArrayLike | None = None,
        initial_state: Any = None,
        return_state: bool = False,
        batch_size: int | None = None,
        threads: int | None = None,
    ) -> Any:
        """Compute the outputs for sequences.

        Parameters
        ----------
        x : (N, T, F) numbers, or (N, T) ids for a model that begins with Embedding or OneHot
        lengths : (N,) whole numbers from 0 to T; later steps are not read and leave the state as it is. What is shown
            for them is Keras's: a layer that reads forwards repeats its last output, `Bidirectional` gives 0, and one
            with ``go_backwards`` begins with T - length zeros
        initial_state : (N, H), or the pair (h, c) of them for an LSTM; a list of such entries for several recurrent
            layers, from the bottom up, forwards before backwards; None is zero
        return_state : also return the final state, in the form of ``initial_state``
        batch_size : sequences at a time
        threads : None chooses

        Returns
        -------
        y : (N, O), or (N, T, O) if the last recurrent layer returns sequences
        state : only with ``return_state``

        Notes
        -----
        Within 1e-12 (float64) or 1e-4 (float32) of `fastrnn.reference`, relative to the largest output or 1.

        Raises
        ------
        ValueError, TypeError
            Input of another shape or type, NaN, infinity.
        """
        plain = lengths is None and initial_state is None and not return_state
        lane = self._lane
        if plain and lane is not None and lane.fits(x, batch_size, threads):
            repeated = lane.predict(np.asarray(x))
            if repeated is not None:
                return repeated
        x, lengths = self.check_input(x, lengths)
        samples, steps = x.shape[:2]
        data = Data(
            x,
            lengths=lengths,
            initial_state=checks.cell_states(initial_state, self.state_sizes, samples, self.dtype),
        )
        rows = min(samples, ROWS if batch_size is None else checks.positive_int("batch_size", batch_size))
        if threads is not None:
            checks.positive_int("threads", threads)
        self.build_for(x)
        count = choose_threads(threads, self.network, rows, steps, minibatches=-(-samples // rows))
        plan = self._plan(("predict", rows, steps, count), rows=rows, steps=steps, threads=count, emits=True)
        with plan.lock:
            try:
                plan.read(data, wants_states=return_state)
                plan.run(Team(count), 0, plan.batches)
                output, states = plan.output, plan.final_states
            finally:
                plan.release()
        if plain and x.nbytes <= LANE_BYTES and samples == rows and x.dtype.kind == "f":
            self._lane = Lane(plan, x, batch_size, threads)
        if not return_state:
            return output
        return output, state_form(states)

    def gradients(
        self,
        x: ArrayLike,
        y: ArrayLike,
        loss: str | Loss = "mse",
        sample_weight: ArrayLike | None = None,
        lengths: ArrayLike | None = None,
        initial_state: Any = None,
        tbptt: int | tuple[int, int] | None = None,
        wants: Sequence[str] = (),
        recompute: str | None = None,
    ) -> tuple[float, dict[str, Any]]:
        """Compute a loss and its gradients for all weights, over all sequences as one batch.

        Parameters
        ----------
        x : (N, T, F), or (N, T) ids
        y : (N, O), or (N, T, O) if the last recurrent layer returns sequences; classes drop the last axis
        loss : a name, as `Trainer` takes it
        sample_weight : (N,) weights; the loss is the weighted mean
        lengths, initial_state : as in `predict`
        tbptt : (k1, k2) truncates: every k1 steps the errors of the last k1 steps go back through at most k2 steps
        wants : "x" and "initial_state" add their gradients
        recompute : "sqrt" keeps the states of about sqrt(T) steps at a time and computes the others again on the way
            back: full back-propagation over long sequences in little memory; None keeps all

        Returns
        -------
        loss : float; NaN if nothing counts
        gradients : arrays under the names of `parameters`, and those of ``wants``

        Notes
        -----
        Within 1e-12 (float64) or 1e-4 (float32) of `fastrnn.reference`, relative to the largest gradient. Nothing is
        dropped by dropout.

        Raises
        ------
        ValueError, TypeError
            Input of another shape or type, NaN, infinity, unknown names.

        References
        ----------
        Williams and Peng (1990), An efficient gradient-based algorithm for on-line training of recurrent network
        trajectories. Chen, Xu, Zhang and Guestrin (2016), Training deep nets with sublinear memory cost.
        """
        x, lengths = self.check_input(x, lengths)
        samples, steps = x.shape[:2]
        columns = Columns(self.layers, (loss,))
        if not isinstance(wants, list | tuple):
            raise TypeError(f"wants is {checks.brief(wants)}; expected a list, such as ['x', 'initial_state']")
        for name in wants:
            checks.one_of("wants", name, ("x", "initial_state"))
        weights = checks.row_weights(sample_weight, samples)
        targets = columns.targets(y, samples, steps, self.dtype, weights, lengths)
        data = Data(
            x,
            targets.y,
            weights,
            lengths,
            initial_state=checks.cell_states(initial_state, self.state_sizes, samples, self.dtype),
            place_weight=targets.place_weight,
        )
        if "x" in wants and self._vocabulary is not None:
            raise ValueError(
                "wants has 'x', which are ids; expected none of ids: take the embeddings' gradient instead"
            )
        training = Training(
            checks.truncation(tbptt),
            wants_inputs="x" in wants,
            wants_initial="initial_state" in wants,
            recompute=check_recompute(recompute, tbptt, self.reads_backwards),
        )
        self.build_for(x)
        network = self.network
        plan = Plan(network, samples, steps, columns=(loss,), training=training)
        plan.read(data)
        plan.run(Team(1), 0, 1)
        gradients: dict[str, Any] = {name: view.copy() for name, view in network.named(plan.gradients).items()}
        if plan.lowered[0].input_gradient is not None:
            wide = plan.lowered[0].input_gradient.reshape(steps, samples, -1)
            gradients["x"] = np.ascontiguousarray(wide[:, :, : network.input_size].transpose(1, 0, 2))
        if plan.lowered[0].initial_gradients:
            found = plan.lowered[0].initial_gradients
            gradients["initial_state"] = state_form(
                [
                    [array.reshape(samples, -1)[:, :size].copy() for array, size in zip(arrays, sizes, strict=True)]
                    for arrays, sizes in zip(found, self.state_sizes, strict=True)
                ]
            )
        return plan.means()[0], gradients

    @property
    def output_form(self) -> tuple[bool, int]:
        """Whether the model answers at every step, and with how many outputs."""
        return output_form(self.layers)

    def check_input(self, x: ArrayLike, lengths: ArrayLike | None = None) -> tuple[Array, NDArray[np.int64] | None]:
        """Return x as the kernels read it, features (N, T, F) of the model's dtype or ids (N, T) int64, and lengths.

        Raises
        ------
        ValueError, TypeError
            Another shape or type; within the lengths NaN, infinity, ids outside the vocabulary.
        """
        if self._vocabulary is not None:
            return checks.ids(x, self._vocabulary, lengths=lengths)
        return checks.sequences(x, self.input_size, self.dtype, lengths=lengths)

    def build_for(self, x: Array) -> None:
        """Make the weights for checked input."""
        if self._vocabulary is None and self.input_size != x.shape[2]:
            self.build(x.shape[2])

    def losses_plan(self, rows: int, steps: int, columns: tuple[Any, ...], threads: int | None) -> Plan:
        """Return the plan that computes losses without training."""
        count = choose_threads(threads, self.network, rows, steps)
        return self._plan(
            ("losses", rows, steps, columns, count), rows=rows, steps=steps, columns=columns, threads=count
        )

    def stream(self, batch: int = 1) -> Stream:
        """Return a stream that takes the next steps of ``batch`` sequences, one or more at a time, and keeps the state.

        Raises
        ------
        ValueError
            ``batch`` is no whole number from 1 up, or a layer reads backwards: it needs the whole sequence.
        """
        return Stream(self, check_batch(self, batch))

    def _plan(self, key: Any, **arguments: Any) -> Plan:
        """Return the plan for a shape and a purpose, made on first use; the oldest of too many is dropped."""
        with self._lock:
            if key not in self._plans:
                self._plans[key] = Plan(self.network, **arguments)
                if len(self._plans) > PLANS:
                    self._plans.popitem(last=False)
            self._plans.move_to_end(key)
            return self._plans[key]

    # ------------------------------------------------------------------------------------------ files

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write layers and weights to a safetensors file that `fastrnn.load` reads; an old file stays whole until then.

        Raises
        ------
        ValueError
            The model is not built yet, or ``path`` has the ending of another format.
        TypeError
            ``path`` is no path.
        OSError
            The file cannot be written.
        """
        from fastrnn.storage.model_file import save_model

        save_model(path, self)
