"""addition: two 8-bit numbers added bit by bit from the right; a random pair and an update of plain SGD a step."""

import numpy as np

import fastrnn as fr

NAME = "addition"
WHAT = "B = 1, T = 8, I = 2, H = 16, sigmoid; SGD, 10,000 updates; the summed error of the 8 bits at step 9000"

STEPS, RATE, UNITS, BITS = 10_000, 0.1, 16, 8
REPORT = 1000


def draw_weights(rng):
    return [2 * rng.random_sample(shape) - 1 for shape in ((2, UNITS), (UNITS, 1), (UNITS, UNITS))]


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def slow(seed):
    rng = np.random.RandomState(seed)
    W, V, U = draw_weights(rng)
    bits = np.unpackbits(np.arange(2**BITS, dtype=np.uint8)[:, None], axis=1)
    dW, dV, dU = np.zeros_like(W), np.zeros_like(V), np.zeros_like(U)
    for step in range(STEPS):
        a, b = rng.randint(2 ** (BITS - 1)), rng.randint(2 ** (BITS - 1))
        hidden, output_deltas = [np.zeros(UNITS)], []
        total_error = 0.0
        for position in reversed(range(BITS)):
            x = np.array([[bits[a][position], bits[b][position]]])
            y = np.array([[bits[a + b][position]]])
            h = sigmoid(np.dot(x, W) + np.dot(hidden[-1], U))
            output = sigmoid(np.dot(h, V))
            error = y - output
            output_deltas.append(error * output * (1 - output))
            total_error += np.abs(error[0, 0])
            hidden.append(h)
        next_delta = np.zeros(UNITS)
        for position in range(BITS):
            x = np.array([[bits[a][position], bits[b][position]]])
            h, previous = hidden[-position - 1], hidden[-position - 2]
            output_delta = output_deltas[-position - 1]
            delta = (np.dot(next_delta, U.T) + np.dot(output_delta, V.T)) * h * (1 - h)
            dV += np.dot(np.atleast_2d(h).T, output_delta)
            dU += np.dot(np.atleast_2d(previous).T, delta)
            dW += np.dot(x.T, delta)
            next_delta = delta
        W += RATE * dW
        V += RATE * dV
        U += RATE * dU
        dW *= 0
        dV *= 0
        dU *= 0
        if step % REPORT == 0:
            reported = total_error
    return float(reported)


def fast(seed):
    rng = np.random.RandomState(seed)
    W, V, U = draw_weights(rng)
    pairs = rng.randint(2 ** (BITS - 1), size=(STEPS, 2))
    x = (pairs[:, None, :] >> np.arange(BITS)[:, None]) & 1
    y = (pairs.sum(axis=1)[:, None, None] >> np.arange(BITS)[:, None]) & 1
    layers = [
        fr.SimpleRNN(UNITS, activation="sigmoid", use_bias=False, return_sequences=True),
        fr.Dense(1, activation="sigmoid", use_bias=False),
    ]
    model = fr.Sequential(layers, input_size=2, dtype="float64")
    model.set_weights([W, U, V])
    # Plain gradient descent on half the squared error summed over the bits; mse is twice that divided by their number.
    trainer = fr.Trainer(model, loss="mse", optimizer=fr.SGD(RATE * BITS / 2))
    for first in range(0, STEPS, REPORT):
        reported = np.abs(model.predict(x[first : first + 1]) - y[first]).sum()
        part = slice(first, first + REPORT)
        trainer.fit(x[part], y[part], epochs=1, batch_size=1, shuffle=False, verbose=0)
    return float(reported)
