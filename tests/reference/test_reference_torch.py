"""The reference against PyTorch: the cells and their gradients, truncation by detaching, clipping, optimizers."""

import numpy as np
import pytest
from numpy.testing import assert_allclose

from fastrnn.reference.losses import LOSSES, loss_shares
from fastrnn.reference.model import gradients, predict
from fastrnn.reference.training import apply_update, start_training, train_step

torch = pytest.importorskip("torch")

CELLS = [
    {"kind": "simple_rnn", "activation": "tanh"},
    {"kind": "simple_rnn", "activation": "relu"},
    {"kind": "lstm"},
    {"kind": "gru"},
]


@pytest.fixture
def rng():
    return np.random.default_rng(5)


def make_network(cell, *, layers, bidirectional=False):
    """A torch stack on 2 inputs with 4 units a cell, a linear map to 3 outputs, and the same for the reference."""
    torch.manual_seed(1)
    make = {"simple_rnn": torch.nn.RNN, "lstm": torch.nn.LSTM, "gru": torch.nn.GRU}[cell["kind"]]
    extra = {"nonlinearity": cell["activation"]} if cell["kind"] == "simple_rnn" else {}
    rnn = make(2, 4, num_layers=layers, batch_first=True, bidirectional=bidirectional, dtype=torch.float64, **extra)
    linear = torch.nn.Linear(8 if bidirectional else 4, 3, dtype=torch.float64)
    if cell["kind"] != "gru":
        # One bias here, two there: only their sum matters, and the gradients of both are the same.
        for name, parameter in rnn.named_parameters():
            if name.startswith("bias_hh"):
                torch.nn.init.zeros_(parameter).requires_grad_(requires_grad=False)
    recurrent = {**cell, "return_sequences": True}
    if bidirectional:
        recurrent = {"kind": "bidirectional", "layer": recurrent, "merge_mode": "concat"}
    return rnn, linear, [*[recurrent] * layers, {"kind": "dense", "activation": "linear"}]


def parameters_of(rnn, linear):
    return [parameter for parameter in [*rnn.parameters(), *linear.parameters()] if parameter.requires_grad]


def to_keras(rnn, linear, *, grad=False):
    """The torch parameters, or their gradients, in Keras's layout: gates z r h in a GRU, whose biases are two rows."""

    def array(parameter):
        values = (parameter.grad if grad else parameter).detach().numpy().T.copy()
        if isinstance(rnn, torch.nn.GRU) and parameter is not linear.weight and parameter is not linear.bias:
            r, z, n = np.split(values, 3, axis=-1)
            values = np.concatenate([z, r, n], axis=-1)
        return values

    weights = []
    for i in range(rnn.num_layers):
        for suffix in ["", "_reverse"][: 1 + rnn.bidirectional]:
            parts = ("weight_ih", "weight_hh", "bias_ih", "bias_hh")
            kernel, recurrent_kernel, bias, recurrent_bias = (getattr(rnn, f"{part}_l{i}{suffix}") for part in parts)
            weights += [array(kernel), array(recurrent_kernel)]
            two_biases = isinstance(rnn, torch.nn.GRU)
            weights.append(np.stack([array(bias), array(recurrent_bias)]) if two_biases else array(bias))
    return [*weights, array(linear.weight), array(linear.bias)]


def to_torch_state(rnn, states):
    """The reference's states, one entry a cell, as torch's: (cells, N, H), for an LSTM the pair of those of h and c."""
    stacked = np.stack(states)
    if isinstance(rnn, torch.nn.LSTM):
        return tuple(torch.tensor(stacked[:, i].copy(), requires_grad=True) for i in range(2))
    return torch.tensor(stacked, requires_grad=True)


def from_torch_state(state):
    """The reverse of `to_torch_state`."""
    if isinstance(state, tuple):
        return [np.stack(pair) for pair in zip(*(part.detach().numpy() for part in state), strict=True)]
    return [*state.detach().numpy()]


def d_of_torch_state(state):
    return from_torch_state(tuple(part.grad for part in state) if isinstance(state, tuple) else state.grad)


def detached(state):
    return tuple(part.detach() for part in state) if isinstance(state, tuple) else state.detach()


def make_states(rng, cell, cells):
    return [rng.standard_normal((2, 3, 4) if cell["kind"] == "lstm" else (3, 4)) for _ in range(cells)]


def assert_all_close(actual, desired):
    for left, right in zip(actual, desired, strict=True):
        assert_allclose(left, right, rtol=1e-10, atol=1e-13)


@pytest.mark.parametrize("sequences", [False, True])
@pytest.mark.parametrize("layers", [1, 2])
@pytest.mark.parametrize("cell", CELLS, ids=str)
def test_forward_and_backward(rng, cell, layers, sequences):
    rnn, linear, description = make_network(cell, layers=layers)
    description[-2] = {**description[-2], "return_sequences": sequences}
    x, states = rng.standard_normal((3, 6, 2)), make_states(rng, cell, layers)
    y = rng.standard_normal((3, 6, 3) if sequences else (3, 3))
    x_t, states_t = torch.tensor(x, requires_grad=True), to_torch_state(rnn, states)
    h, final = rnn(x_t, states_t)
    output = linear(h if sequences else h[:, -1])
    loss = torch.nn.functional.mse_loss(output, torch.tensor(y))
    loss.backward()
    weights = to_keras(rnn, linear)
    predicted, final_state = predict(description, weights, x, initial_state=states)
    assert_allclose(predicted, output.detach(), rtol=1e-12, atol=1e-14)
    assert_all_close(final_state, from_torch_state(final))
    result = gradients(description, weights, x, y, initial_state=states)
    assert_allclose(result.loss, loss.item(), rtol=1e-12)
    assert_all_close(result.weights, to_keras(rnn, linear, grad=True))
    assert_all_close([result.x, *result.initial_state], [x_t.grad, *d_of_torch_state(states_t)])


@pytest.mark.parametrize("sequences", [False, True])
@pytest.mark.parametrize("bidirectional", [False, True])
@pytest.mark.parametrize("cell", CELLS, ids=str)
def test_packed_sequences_in_either_direction(rng, cell, bidirectional, sequences):
    """Two layers on rows of 4, 6 and 1 steps; the last output is that of both directions' final states."""
    rnn, linear, description = make_network(cell, layers=2, bidirectional=bidirectional)
    top = description[-2]
    description[-2] = (
        {**top, "layer": {**top["layer"], "return_sequences": sequences}}
        if bidirectional
        else {**top, "return_sequences": sequences}
    )
    lengths, directions = [4, 6, 1], 1 + bidirectional
    x, states = rng.standard_normal((3, 6, 2)), make_states(rng, cell, 2 * directions)
    y = rng.standard_normal((3, 6, 3) if sequences else (3, 3))
    x_t, states_t = torch.tensor(x, requires_grad=True), to_torch_state(rnn, states)
    packed = torch.nn.utils.rnn.pack_padded_sequence(x_t, lengths, batch_first=True, enforce_sorted=False)
    packed, final = rnn(packed, states_t)
    h, _ = torch.nn.utils.rnn.pad_packed_sequence(packed, batch_first=True)
    final_h = final[0] if isinstance(final, tuple) else final
    output = linear(h if sequences else torch.cat([*final_h[-directions:]], dim=-1))
    counts = np.arange(6) < np.array(lengths)[:, None] if sequences else np.full(3, fill_value=True)
    loss = torch.mean((output[counts] - torch.tensor(y)[counts]) ** 2)
    loss.backward()
    weights = to_keras(rnn, linear)
    predicted, final_state = predict(description, weights, x, lengths, states)
    assert_allclose(predicted[counts], output.detach()[counts], rtol=1e-12, atol=1e-14)
    assert_all_close(final_state, from_torch_state(final))
    result = gradients(description, weights, x, y, lengths=lengths, initial_state=states)
    assert_allclose(result.loss, loss.item(), rtol=1e-12)
    assert_all_close(result.weights, to_keras(rnn, linear, grad=True))
    assert_all_close([result.x, *result.initial_state], [x_t.grad, *d_of_torch_state(states_t)])


@pytest.mark.parametrize("update", ["sequence", "chunk"])
@pytest.mark.parametrize("cell", CELLS, ids=str)
def test_k1_equal_to_k2_is_detaching_between_pieces(rng, cell, update):
    rnn, linear, layers = make_network(cell, layers=2)
    x, y, states = rng.standard_normal((3, 9, 2)), rng.standard_normal((3, 9, 3)), make_states(rng, cell, 2)
    description = {"kind": "sgd", "learning_rate": 0.3, "momentum": 0.9, "nesterov": True, "weight_decay": 0.0}
    progress = start_training(to_keras(rnn, linear), description)
    optimizer = torch.optim.SGD(parameters_of(rnn, linear), lr=0.3, momentum=0.9, nesterov=True)
    hidden, total = to_torch_state(rnn, states), 0.0
    for first in range(0, 9, 3):
        h, hidden = rnn(torch.tensor(x[:, first : first + 3]), detached(hidden))
        loss = torch.sum((linear(h) - torch.tensor(y[:, first : first + 3])) ** 2) / y.size
        loss.backward()
        total += loss.item()
        if update == "chunk":
            optimizer.step()
            optimizer.zero_grad()
    if update == "sequence":
        optimizer.step()
    loss, progress, final_state = train_step(
        layers, progress, x, y, description, initial_state=states, tbptt=3, tbptt_update=update
    )
    assert_allclose(loss, total, rtol=1e-12)
    assert_all_close(progress.weights, to_keras(rnn, linear))
    assert_all_close(final_state, from_torch_state(hidden))
    assert progress.step == {"sequence": 1, "chunk": 3}[update]


CROSSENTROPIES = ["binary_crossentropy", "categorical_crossentropy", "sparse_categorical_crossentropy"]


@pytest.mark.parametrize("activation", ["linear", "sigmoid", "softmax"])
@pytest.mark.parametrize("sequences", [False, True])
@pytest.mark.parametrize("loss", CROSSENTROPIES)
def test_crossentropies(rng, loss, sequences, activation):
    """From logits, or over the dense layer's own sigmoid or softmax: torch's losses of logits, weighted by hand."""
    binary = loss == "binary_crossentropy"
    if activation == ("softmax" if binary else "sigmoid"):
        activation = "linear"
    rnn, linear, description = make_network({"kind": "lstm"}, layers=1)
    description[-2] = {**description[-2], "return_sequences": sequences}
    description[-1] = {**description[-1], "activation": activation}
    x, shape = 3.0 * rng.standard_normal((4, 5, 2)), (4, 5) if sequences else (4,)
    sample_weight, lengths = np.array([1.0, 0.0, 2.5, 0.5]), np.array([5, 4, 2, 3])
    outside = np.arange(5) >= lengths[:, None]
    if binary:
        y = rng.uniform(0.0, 1.0, (*shape, 3)).round(1)
    elif loss == "categorical_crossentropy":
        y = rng.dirichlet(np.ones(3), shape)
    else:
        y = rng.integers(0, 3, shape)
        if sequences:
            y[outside] = -1
    x_t = torch.tensor(x, requires_grad=True)
    if sequences:
        h = rnn(x_t)[0]
    else:
        h = torch.cat([rnn(x_t[n : n + 1, :length])[0][:, -1] for n, length in enumerate(lengths)])
    logits = linear(h).reshape(-1, 3)
    target = torch.tensor(y.reshape(-1, 3) if y.ndim > len(shape) else y.ravel())
    if binary:
        each = torch.nn.functional.binary_cross_entropy_with_logits(logits, target, reduction="none").mean(-1)
    else:
        each = torch.nn.functional.cross_entropy(logits, target, reduction="none", ignore_index=-1)
    weight = np.where(outside, 0.0, sample_weight[:, None]) if sequences else sample_weight
    value = torch.sum(each * torch.tensor(weight).ravel()) / weight.sum()
    value.backward()
    result = gradients(description, to_keras(rnn, linear), x, y, loss, sample_weight, lengths)
    assert_allclose(result.loss, value.item(), rtol=1e-12)
    assert_all_close(result.weights, to_keras(rnn, linear, grad=True))
    assert_all_close([result.x], [x_t.grad])


def test_binary_crossentropy_of_probabilities(rng):
    y, target = rng.uniform(0.01, 0.99, (6, 3)), rng.uniform(0.0, 1.0, (6, 3))
    shares = loss_shares((6,), None, None)
    value, backward = LOSSES["binary_crossentropy"]
    y_t = torch.tensor(y, requires_grad=True)
    torch.nn.functional.binary_cross_entropy(y_t, torch.tensor(target)).backward()
    assert_allclose(
        value(y, target, shares), torch.nn.functional.binary_cross_entropy(y_t, torch.tensor(target)).item()
    )
    assert_all_close([backward(y, target, shares)], [y_t.grad])


@pytest.mark.parametrize("loss", CROSSENTROPIES[1:])
def test_categorical_crossentropy_of_probabilities(rng, loss):
    y, target = rng.dirichlet(np.ones(3), 6), rng.integers(0, 3, 6)
    shares = loss_shares((6,), None, None)
    value, backward = LOSSES[loss]
    y_t = torch.tensor(y, requires_grad=True)
    expected = torch.nn.functional.nll_loss(torch.log(y_t), torch.tensor(target))
    expected.backward()
    given = target if loss.startswith("sparse") else np.eye(3)[target]
    assert_allclose(value(y, given, shares), expected.item())
    assert_all_close([backward(y, given, shares)], [y_t.grad])


@pytest.mark.parametrize("loss", ["mse", "mae"])
def test_softmax_below_any_loss(rng, loss):
    rnn, linear, description = make_network({"kind": "gru"}, layers=1)
    description[-1] = {**description[-1], "activation": "softmax"}
    x, y = rng.standard_normal((3, 6, 2)), rng.standard_normal((3, 6, 3))
    output = torch.softmax(linear(rnn(torch.tensor(x))[0]), dim=-1)
    make = {"mse": torch.nn.functional.mse_loss, "mae": torch.nn.functional.l1_loss}[loss]
    value = make(output, torch.tensor(y))
    value.backward()
    weights = to_keras(rnn, linear)
    assert_allclose(predict(description, weights, x)[0], output.detach(), rtol=1e-12)
    result = gradients(description, weights, x, y, loss)
    assert_allclose(result.loss, value.item(), rtol=1e-12)
    assert_all_close(result.weights, to_keras(rnn, linear, grad=True))


def run_detaching(make, weights, x, lengths, k, *, backwards):
    """Run a torch cell step by step, detaching its state before every k-th step; return its states aligned in time."""
    kernel, recurrent_kernel, *_ = weights
    cell = make(kernel.shape[1], recurrent_kernel.shape[1], dtype=torch.float64)
    parameters = dict(zip(("weight_ih", "weight_hh", "bias_ih", "bias_hh"), weights, strict=True))
    state = (torch.zeros(len(x), recurrent_kernel.shape[1], dtype=torch.float64),) * (1 + (make is torch.nn.LSTMCell))
    steps, outputs = x.shape[1], {}
    for s in range(steps):
        t = steps - 1 - s if backwards else s
        if s % k == 0:
            state = tuple(part.detach() for part in state)
        after = torch.func.functional_call(cell, parameters, (x[:, t], state if len(state) == 2 else state[0]))
        after = after if isinstance(after, tuple) else (after,)
        counts = (t < lengths)[:, None]
        state = tuple(torch.where(counts, new, old) for new, old in zip(after, state, strict=True))
        outputs[t] = state[0]
    return torch.stack([outputs[t] for t in range(steps)], dim=1)


@pytest.mark.parametrize("sequences", [False, True])
@pytest.mark.parametrize("k", [1, 2, 3])
def test_where_a_layer_reads_backwards_every_cell_detaches_in_its_own_order(rng, k, sequences):
    """A bidirectional LSTM, a GRU, the last state of an Elman layer that reads backwards; all ends multiples of k."""
    lengths = torch.tensor([6, 6 - k, k])
    x, y = rng.standard_normal((3, 6, 2)), rng.standard_normal((3, 6, 3) if sequences else (3, 3))
    torch.manual_seed(2)
    lstm, gru, rnn = torch.nn.LSTM(2, 4, bidirectional=True), torch.nn.GRU(8, 4), torch.nn.RNN(4, 4)
    linear = torch.nn.Linear(4, 3)
    used = [lstm, gru, linear] if sequences else [lstm, gru, rnn, linear]
    for module in used:
        module.double()
    for name, parameter in [*lstm.named_parameters(), *rnn.named_parameters()]:
        if name.startswith("bias_hh"):
            torch.nn.init.zeros_(parameter)

    x_t = torch.tensor(x, requires_grad=True)
    halves = [
        run_detaching(torch.nn.LSTMCell, weights, x_t, lengths, k, backwards=backwards)
        for backwards, weights in enumerate(lstm.all_weights)
    ]
    h = run_detaching(torch.nn.GRUCell, gru.all_weights[0], torch.cat(halves, dim=-1), lengths, k, backwards=False)
    if not sequences:
        h = run_detaching(torch.nn.RNNCell, rnn.all_weights[0], h, lengths, k, backwards=True)[:, 0]
    errors = (linear(h) - torch.tensor(y)) ** 2
    loss = torch.mean(errors[torch.arange(6) < lengths[:, None]] if sequences else errors)
    loss.backward()

    every = {"return_sequences": True}
    layers = [{"kind": "bidirectional", "layer": {"kind": "lstm", **every}, "merge_mode": "concat"}]
    layers += [{"kind": "gru", **every}, {"kind": "simple_rnn", "go_backwards": True}, {"kind": "dense"}]
    if sequences:
        layers.pop(2)
    weights, d_weights = (
        [array for module in used[:-1] for array in to_keras(module, linear, grad=grad)[:-2]]
        + to_keras(lstm, linear, grad=grad)[-2:]
        for grad in (False, True)
    )
    result = gradients(layers, weights, x, y, lengths=lengths.numpy(), tbptt=k)
    assert_allclose(result.loss, loss.item(), rtol=1e-12)
    assert_all_close(result.weights, d_weights)
    assert_all_close([result.x], [x_t.grad])
    full = gradients(layers, weights, x, y, lengths=lengths.numpy())
    assert np.abs(full.weights[0] - result.weights[0]).max() > 1e-6


@pytest.mark.parametrize(
    ("description", "make"),
    [
        (
            {"kind": "sgd", "learning_rate": 0.1, "momentum": momentum, "nesterov": nesterov, "weight_decay": decay},
            lambda p, m=momentum, n=nesterov, w=decay: torch.optim.SGD(p, 0.1, momentum=m, nesterov=n, weight_decay=w),
        )
        for momentum, nesterov, decay in [(0.0, False, 0.0), (0.9, False, 0.0), (0.9, True, 0.0), (0.8, True, 0.05)]
    ]
    + [
        (
            {"kind": "adam", "learning_rate": 0.02, "beta_1": 0.8, "beta_2": 0.95, "epsilon": 1e-3},
            lambda p: torch.optim.Adam(p, 0.02, betas=(0.8, 0.95), eps=1e-3),
        ),
        (
            {"kind": "adagrad", "learning_rate": 0.05, "epsilon": 1e-3},
            lambda p: torch.optim.Adagrad(p, 0.05, eps=1e-3),
        ),
    ]
    + [
        (
            {"kind": "rmsprop", "learning_rate": 0.02, "rho": 0.8, "momentum": momentum, "epsilon": 1e-3},
            lambda p, m=momentum: torch.optim.RMSprop(p, 0.02, alpha=0.8, momentum=m, eps=1e-3),
        )
        for momentum in (0.0, 0.7)
    ],
)
@pytest.mark.parametrize(("value", "norm"), [(None, None), (0.6, None), (None, 1.5), (0.6, 1.5)])
def test_optimizers_after_clipping(rng, description, make, value, norm):
    weights = [rng.standard_normal((3, 4)), rng.standard_normal(4)]
    tensors = [torch.tensor(weight, requires_grad=True) for weight in weights]
    optimizer = make(tensors)
    progress = start_training(weights, description)
    for _ in range(6):
        d_weights = [rng.standard_normal(weight.shape) for weight in weights]
        for tensor, d in zip(tensors, d_weights, strict=True):
            tensor.grad = torch.tensor(d)
        if value is not None:
            torch.nn.utils.clip_grad_value_(tensors, value)
        if norm is not None:
            torch.nn.utils.clip_grad_norm_(tensors, norm)
        optimizer.step()
        progress = apply_update(progress, d_weights, description, clip_value=value, clip_norm=norm)
        assert_all_close(progress.weights, [tensor.detach() for tensor in tensors])
