"""sine: 50 values of a sine to the next; step t's value goes in through column t of the input weights."""

import numpy as np

import fastrnn as fr

NAME = "sine"
WHAT = "B = 1, T = 50, I = 50, H = 100, sigmoid; SGD, 2500 updates; half the squared error, summed over 100 windows"

EPOCHS, RATE, UNITS, STEPS, TRUNCATE, CLIP = 25, 1e-4, 100, 50, 5, 10.0
WAVE = np.sin(np.arange(200))
X = np.array([WAVE[i : i + STEPS] for i in range(150)])[:, :, None]
Y = WAVE[STEPS:, None]


def draw_weights(seed):
    rng = np.random.default_rng(seed)
    return rng.uniform(0, 1, (UNITS, STEPS)), rng.uniform(0, 1, (UNITS, UNITS)), rng.uniform(0, 1, (1, UNITS))


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def forward(U, W, V, x):
    """Return the states of a window, the first one 0, and the output."""
    states = [np.zeros((UNITS, 1))]
    for t in range(STEPS):
        step = np.zeros(x.shape)
        step[t] = x[t]
        states.append(sigmoid(np.dot(U, step) + np.dot(W, states[-1])))
    return states, np.dot(V, states[-1])


def half_squared_error(U, W, V, windows):
    loss = 0.0
    for i in windows:
        _, output = forward(U, W, V, X[i])
        loss += (Y[i] - output) ** 2 / 2
    return float(loss[0, 0])


def slow(seed):
    U, W, V = draw_weights(seed)
    for _ in range(EPOCHS):
        loss = half_squared_error(U, W, V, range(100))
        half_squared_error(U, W, V, range(100, 150))
        for i in range(100):
            x = X[i]
            states, output = forward(U, W, V, x)
            d_output = output - Y[i]
            dU, dW, dV = np.zeros(U.shape), np.zeros(W.shape), np.dot(d_output, states[-1].T)
            d_state = np.dot(V.T, d_output)
            for t in range(STEPS - 1, STEPS - TRUNCATE - 1, -1):
                d_sum = d_state * states[t + 1] * (1 - states[t + 1])
                step = np.zeros(x.shape)
                step[t] = x[t]
                dU += np.dot(d_sum, step.T)
                dW += np.dot(d_sum, states[t].T)
                d_state = np.dot(W.T, d_sum)
            U -= RATE * np.clip(dU, -CLIP, CLIP)
            W -= RATE * np.clip(dW, -CLIP, CLIP)
            V -= RATE * np.clip(dV, -CLIP, CLIP)
    return loss


def fast(seed):
    U, W, V = draw_weights(seed)
    layers = [fr.SimpleRNN(UNITS, activation="sigmoid", use_bias=False), fr.Dense(1, use_bias=False)]
    model = fr.Sequential(layers, input_size=STEPS)
    model.set_weights([U.T, W.T, V.T])
    # The gradient of mse is twice that of half the squared error: half the rate, twice the bound.
    trainer = fr.Trainer(model, loss="mse", optimizer=fr.SGD(RATE / 2), clip_value=CLIP * 2, tbptt=TRUNCATE)
    x = X * np.eye(STEPS)
    for _ in range(EPOCHS):
        loss = trainer.evaluate(x[:100], Y[:100])["loss"] * 100 / 2
        trainer.evaluate(x[100:], Y[100:])
        trainer.fit(x[:100], Y[:100], epochs=1, batch_size=1, shuffle=False, verbose=0)
    return loss
