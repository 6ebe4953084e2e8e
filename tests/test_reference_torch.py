"""The reference against PyTorch: the cell and its gradients, truncation by detaching, clipping, optimizers."""

import numpy as np
import pytest
from numpy.testing import assert_allclose

from fastrnn.reference.model import gradients, predict
from fastrnn.reference.training import apply_update, start_training, train_step

torch = pytest.importorskip("torch")


@pytest.fixture
def rng():
    return np.random.default_rng(5)


def make_network(activation, *, layers):
    """A torch stack on 2 inputs with 4 units a layer, a linear map to 3 outputs, and the same for the reference."""
    torch.manual_seed(1)
    rnn = torch.nn.RNN(2, 4, num_layers=layers, nonlinearity=activation, batch_first=True, dtype=torch.float64)
    linear = torch.nn.Linear(4, 3, dtype=torch.float64)
    for i in range(layers):
        # One bias here, two there: only their sum matters, and the gradients of both are the same.
        torch.nn.init.zeros_(getattr(rnn, f"bias_hh_l{i}")).requires_grad_(requires_grad=False)
    recurrent = {"kind": "simple_rnn", "activation": activation, "use_bias": True, "return_sequences": True}
    return rnn, linear, [*[recurrent] * layers, {"kind": "dense", "activation": "linear", "use_bias": True}]


def trained_parameters(rnn, linear):
    """The torch parameters in Keras's order (not transposed)."""
    names = ("weight_ih_l", "weight_hh_l", "bias_ih_l")
    recurrent = [getattr(rnn, f"{name}{i}") for i in range(rnn.num_layers) for name in names]
    return [*recurrent, linear.weight, linear.bias]


def to_keras(tensors):
    return [tensor.detach().numpy().T.copy() for tensor in tensors]


def assert_all_close(actual, desired):
    for left, right in zip(actual, desired, strict=True):
        assert_allclose(left, right, rtol=1e-10, atol=1e-13)


@pytest.mark.parametrize("sequences", [False, True])
@pytest.mark.parametrize("activation", ["tanh", "relu"])
@pytest.mark.parametrize("layers", [1, 2])
def test_forward_and_backward(rng, activation, layers, sequences):
    rnn, linear, description = make_network(activation, layers=layers)
    description[-2] = {**description[-2], "return_sequences": sequences}
    x, state = rng.standard_normal((3, 6, 2)), rng.standard_normal((layers, 3, 4))
    y = rng.standard_normal((3, 6, 3) if sequences else (3, 3))
    x_t, state_t = (torch.tensor(array, requires_grad=True) for array in (x, state))
    h, final = rnn(x_t, state_t)
    output = linear(h if sequences else h[:, -1])
    loss = torch.nn.functional.mse_loss(output, torch.tensor(y))
    loss.backward()
    parameters = trained_parameters(rnn, linear)
    weights = to_keras(parameters)
    predicted, final_state = predict(description, weights, x, initial_state=state)
    assert_allclose(predicted, output.detach(), rtol=1e-12, atol=1e-14)
    assert_allclose(final_state, final.detach(), rtol=1e-12, atol=1e-14)
    result = gradients(description, weights, x, y, initial_state=state)
    assert_allclose(result.loss, loss.item(), rtol=1e-12)
    assert_all_close(result.weights, to_keras(parameter.grad for parameter in parameters))
    assert_all_close([result.x, *result.initial_state], [x_t.grad, *state_t.grad])


@pytest.mark.parametrize("update", ["sequence", "chunk"])
def test_k1_equal_to_k2_is_detaching_between_pieces(rng, update):
    rnn, linear, layers = make_network("tanh", layers=2)
    x, y, state = rng.standard_normal((3, 9, 2)), rng.standard_normal((3, 9, 3)), rng.standard_normal((2, 3, 4))
    parameters = trained_parameters(rnn, linear)
    description = {"kind": "sgd", "learning_rate": 0.3, "momentum": 0.9, "nesterov": True, "weight_decay": 0.0}
    progress = start_training(to_keras(parameters), description)
    optimizer = torch.optim.SGD(parameters, lr=0.3, momentum=0.9, nesterov=True)
    hidden, total = torch.tensor(state), 0.0
    for first in range(0, 9, 3):
        h, hidden = rnn(torch.tensor(x[:, first : first + 3]), hidden.detach())
        loss = torch.sum((linear(h) - torch.tensor(y[:, first : first + 3])) ** 2) / y.size
        loss.backward()
        total += loss.item()
        if update == "chunk":
            optimizer.step()
            optimizer.zero_grad()
    if update == "sequence":
        optimizer.step()
    loss, progress, final_state = train_step(
        layers, progress, x, y, description, initial_state=state, tbptt=3, tbptt_update=update
    )
    assert_allclose(loss, total, rtol=1e-12)
    assert_all_close(progress.weights, to_keras(parameters))
    assert_all_close(final_state, hidden.detach())
    assert progress.step == {"sequence": 1, "chunk": 3}[update]


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
        )
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
