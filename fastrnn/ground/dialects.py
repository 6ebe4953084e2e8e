"""What Keras, PyTorch and scikit-learn say, and what it is called here.

A scope is a class, whose words its subclasses know too, a method, a function or a module. Before its words stands what
is read after "expected": a name of that scope, or what to do instead, with ``{name}`` for the word. ``()`` is the
object being called. A word that is only spelt otherwise (``RMSprop``, ``LSTM(unit=3)``) need not stand here: the
nearest names are found.
"""

_TRAINER = "Trainer(model, loss=..., optimizer=..., metrics=[...])"
_FIT = {
    f"{_TRAINER}.fit(x, y)": "fit train train_on_batch fit_generator",
    f"{_TRAINER}.evaluate(x, y)": "evaluate score test_on_batch",
    _TRAINER: "compile",
}
_INPUT = "input_shape input_dim input_size in_features input_length batch_input_shape"
_RATE = "lr eta alpha step_size"
_RNN = "hidden_size hidden_dim hidden_units num_units n_units output_dim"

_WORDS = {
    "fastrnn": {
        **_FIT,
        "the layers themselves: fastrnn.LSTM, fastrnn.Dense, ...": "nn keras Layer",
        "the optimizers themselves: fastrnn.Adam, fastrnn.SGD, ...": "optim",
        'its name: fastrnn.Trainer(model, metrics=["mae"])': "metrics metric",
        'its name: fastrnn.Dense(1, activation="sigmoid")': "activations Activation Softmax ReLU Tanh Sigmoid",
        "fastrnn.Sequential": "models Model Module Functional",
        "fastrnn.Sequential, with all layers at once": "add",
        "fastrnn.SimpleRNN, fastrnn.GRU or fastrnn.LSTM": "RNN Elman",
        "fastrnn.GRU, LSTM or SimpleRNN, of which model.stream() takes a step at a time": "GRUCell LSTMCell RNNCell "
        "SimpleRNNCell",
        "fastrnn.Dense, which takes sequences too": "Linear TimeDistributed",
        "fastrnn.Sequential([...], input_size=...)": "Input InputLayer InputSpec",
        "lengths=... of fit, evaluate and predict": "Masking PackedSequence pad_sequence pack_padded_sequence",
        "fastrnn.load(path)": "load_model load_weights",
        "model.save(path)": "save save_model save_weights",
        "seed=... of Sequential for the weights, of Trainer for the rest": "manual_seed set_seed set_random_seed seed",
        'dtype="float32" or "float64" of Sequential': "float32 float64 set_floatx set_default_dtype",
        "a NumPy array": "tensor Tensor from_numpy convert_to_tensor",
        "arrays: fit(x, y, batch_size=32)": "DataLoader Dataset TensorDataset",
        "one that there is, such as AdamW, SGD or RMSProp": "Nadam Lion LBFGS Ftrl",
        "a callback of your own: a function f(epoch, figures), or a Callback": "ReduceLROnPlateau CSVLogger StepLR "
        "LearningRateScheduler TensorBoard LambdaCallback TerminateOnNaN BackupAndRestore lr_scheduler",
        "threads=... of Trainer and predict": "set_num_threads get_num_threads",
        "model.predict(x), which computes no gradients": "no_grad inference_mode",
        "fastrnn.forecast.Forecaster": "Forecaster",
        "fastrnn.text.TextModel": "TextModel",
        "model.stream()": "Stream",
    },
    "fastrnn.losses": {
        'its name: loss="mse"': "MeanSquaredError MSELoss mean_squared_error",
        'its name: loss="mae"': "MeanAbsoluteError L1Loss mean_absolute_error",
        'its name: loss="binary_crossentropy"': "BCELoss BCEWithLogitsLoss",
        'its name: loss="sparse_categorical_crossentropy"': "CrossEntropyLoss NLLLoss",
    },
    "fastrnn.initializers": {
        "fastrnn.initializers.Uniform": "RandomUniform uniform_",
        "fastrnn.initializers.Normal": "RandomNormal TruncatedNormal normal_ HeNormal LecunNormal kaiming_normal_",
        "fastrnn.initializers.GlorotUniform": "GlorotNormal xavier_uniform_ xavier_normal_",
        "fastrnn.initializers.TorchUniform, or Uniform(low, high)": "HeUniform LecunUniform kaiming_uniform_",
    },
    "Sequential": {
        **_FIT,
        f"{_TRAINER}, which has it": "optimizer loss metrics history",
        "model.predict(x)": "()",
        "predict": "forward call predict_on_batch predict_proba",
        "predict(x).argmax(axis=-1)": "predict_classes",
        "stream(), which has it": "step reset_states reset_state",
        "input_size": _INPUT.replace("input_size ", "") + " n_features",
        "parameters() or get_weights()": "state_dict named_parameters weights variables trainable_weights "
        "trainable_variables",
        "set_weights": "load_state_dict",
        "save(path) and fastrnn.load(path)": "save_weights load_weights save_model load export",
        "it left out: only Trainer.fit trains and drops": "eval training requires_grad_",
        "gradients(x, y), or Trainer(model).fit(x, y)": "backward zero_grad",
        "it left out: all is done by the CPU": "to cuda cpu device",
        'dtype="float32" or "float64" when the model is made': "half float double",
        "layers": "modules children named_modules get_layer get_config to_json",
        "Sequential([...]), with all layers at once": "add append pop",
        "summary()": "output_shape outputs",
        "seed": "random_state",
    },
    "Sequential.predict": {
        "it left out: nothing is printed": "verbose callbacks",
        "it left out": "steps workers use_multiprocessing",
        "initial_state": "h0 hx hidden",
        "x": "X inputs",
    },
    "Sequential.gradients": {"loss": "criterion loss_fn", "wants": "wrt inputs", "x": "X"},
    "Sequential.set_weights": {"weights": "state_dict"},
    "Trainer": {
        "optimizer=Adam(...), with that learning rate": f"learning_rate {_RATE}",
        "optimizer=Adam(...): the learning rate stays as it is": "lr_scheduler scheduler",
        "loss": "criterion loss_fn loss_function objective",
        "optimizer": "optim optimiser solver",
        "clip_norm": "clipnorm global_clipnorm max_norm max_grad_norm gradient_clip_val",
        "clip_value": "clipvalue clip",
        "threads": "n_jobs workers num_workers",
        "seed": "random_state",
        "epochs=... of fit": "epochs n_epochs num_epochs max_epochs max_iter",
        "{name}=... of fit": "batch_size callbacks verbose shuffle validation_split validation_data",
        "it left out: all is done by the CPU": "device gpus accelerator",
        "trainer.model.{name}": "predict summary get_weights set_weights parameters",
        _TRAINER: "compile",
        "fit": "train run fit_generator step",
        "fit(x, y, epochs=1)": "train_on_batch",
        "evaluate": "test score validate test_on_batch",
        "stop()": "stop_training",
        "save_checkpoint(path), or trainer.model.save(path)": "save save_weights state_dict",
        "Trainer.resume(path)": "load load_state_dict load_checkpoint load_weights",
    },
    "Trainer.fit": {
        "optimizer=Adam(...) of Trainer, with that learning rate": f"learning_rate {_RATE}",
        "{name}=... of Trainer": "loss optimizer metrics clip_norm clip_value tbptt seed threads recompute",
        "threads=... of Trainer": "workers n_jobs num_workers",
        "epochs": "n_epochs num_epochs nb_epoch max_epochs n_iter",
        "batch_size": "batch bs validation_batch_size",
        "validation_data": "eval_set val_data valid_data validation",
        "sample_weight": "class_weight sample_weights",
        "lengths, or sample_weight": "mask",
        "carry_state": "stateful",
        "it left out": "steps_per_epoch validation_steps validation_freq initial_epoch",
        "x": "X inputs",
        "y": "target targets labels",
    },
    "Trainer.evaluate": {
        "it left out: nothing is printed": "verbose callbacks",
        "it left out": "return_dict steps batch_size",
        "x": "X inputs",
        "y": "target targets labels",
    },
    "Layer": {
        "input_size=... of Sequential, or none: the first data tell it": _INPUT,
        "it left out: sequences are (N, T, F), N of them": "batch_first time_major",
        "it left out: all is done by the CPU": "device unroll implementation use_cudnn",
        "it left out: every weight is trained": "trainable",
        "it left out: gradients are clipped, not weights": "kernel_constraint recurrent_constraint bias_constraint",
        "dropout, or SGD(weight_decay=...)": "kernel_regularizer recurrent_regularizer bias_regularizer "
        "activity_regularizer",
        "{name}=... of Sequential": "dtype seed",
        "model.{name}: a layer holds no weights": "get_weights set_weights",
        "a list of layers: Sequential([LSTM(32), Dense(1)])": "()",
    },
    "Weighted": {"use_bias": "bias", "activation": "nonlinearity", "kernel_initializer": "init weight_initializer"},
    "Unidirectional": {
        "units": _RNN,
        "one layer after another, with return_sequences=True in all but the last": "num_layers n_layers",
        "Bidirectional(LSTM(...))": "bidirectional",
        "predict(x, return_state=True)": "return_state",
        "fit(..., carry_state=True), or model.stream()": "stateful",
        "recurrent_activation": "inner_activation",
        "recurrent_initializer": "inner_init",
        "dropout": "dropout_rate",
    },
    "Dense": {"units": "out_features output_dim"},
    "Dropout": {"rate": "p dropout"},
    "Bidirectional": {"merge_mode": "mode", "it left out: it is a copy that reads backwards": "backward_layer"},
    "IdLayer": {
        "vocabulary": "num_embeddings num_classes num_tokens vocab_size input_dim",
        "lengths=... of fit, evaluate and predict": "mask_zero padding_idx",
    },
    "Embedding": {
        "size": "embedding_dim output_dim embed_dim dim",
        "embeddings_initializer": "kernel_initializer init",
    },
    "Optimizer": {
        "learning_rate": _RATE,
        "beta_1 and beta_2": "betas",
        "epsilon": "eps",
        "clip_norm=... of Trainer": "clipnorm global_clipnorm clip_norm",
        "clip_value=... of Trainer": "clipvalue clip_value",
        "SGD(weight_decay=...), the one that has it": "weight_decay l2",
        "it left out: Trainer(model, optimizer=...) has the model": "params parameters",
        "it left out: the learning rate stays as it is": "decay lr_decay",
        f"{_TRAINER}.fit(x, y)": "step minimize apply_gradients zero_grad",
    },
    "RMSProp": {"rho": "alpha decay"},
    "Initializer": {"low": "minval a", "high": "maxval b", "std": "stddev scale", "{name}=... of Sequential": "seed"},
    "Callback": {
        "epoch(self, epoch, figures)": "on_epoch_end on_validation_end",
        "begin(self, trainer, epochs, samples)": "on_train_begin on_fit_start set_model set_params",
        "end(self)": "on_train_end on_fit_end",
        "progress(self, epoch, samples)": "on_batch_end on_train_batch_end",
        "the trainer that begin(self, trainer, epochs, samples) is given": "model params",
        "it left out: nothing is printed": "verbose",
    },
    "EarlyStopping": {"it left out": "baseline start_from_epoch"},
    "ModelCheckpoint": {
        "path": "filepath filename dirpath",
        "it left out: all is saved, after an epoch": "save_weights_only save_freq period",
    },
    "History": {"history.history[{name!r}]": "loss val_loss accuracy val_accuracy mae mse", "epoch": "epochs"},
    "Stream": {
        "step": "predict forward predict_one",
        "trainer.stream(), of a Trainer with tbptt=... and tbptt_update='chunk'": "learn fit learn_one partial_fit "
        "train_on_batch",
        "reset": "reset_states reset_state",
        "state": "hidden hx h0 initial_state",
    },
    "LearningStream": {"learn": "fit learn_one partial_fit train_on_batch"},
    "Settings": {"learning_rate": _RATE, "units": _RNN, "window": "window_size lookback", "horizon": "steps"},
    "Forecaster": {"fit or Forecaster.load first": "model"},
    "TextModel": {"fit or TextModel.load first": "model alphabet"},
    "TextSettings": {
        "learning_rate": _RATE,
        "units": _RNN,
        "layers": "num_layers n_layers",
        "steps": "seq_length sequence_length",
        "embedding": "embedding_dim",
    },
}

DIALECTS = {
    scope: {word: cure for cure, words in cures.items() for word in words.split()} for scope, cures in _WORDS.items()
}
"""What it is called here, by scope and word."""

VALUES = {
    word: name
    for name, words in {
        "mse": "l2 MSELoss mean_squared_error MeanSquaredError",
        "mae": "l1 L1Loss mean_absolute_error MeanAbsoluteError",
        "binary_crossentropy": "bce BCELoss BCEWithLogitsLoss log_loss",
        "sparse_categorical_crossentropy": "crossentropy cross_entropy CrossEntropyLoss nll_loss NLLLoss",
        "accuracy": "acc binary_accuracy categorical_accuracy sparse_categorical_accuracy",
        "val_accuracy": "val_acc",
        "sigmoid": "logistic",
        "linear": "identity none",
        "relu": "relu6 prelu",
        "sum": "add",
        "ave": "average mean avg",
        "mul": "multiply",
        "float32": "float single",
        "float64": "double",
        "uniform": "random_uniform",
        "normal": "random_normal truncated_normal",
        "glorot_uniform": "xavier_uniform glorot_normal xavier_normal xavier",
        "torch_uniform": "he_uniform kaiming_uniform lecun_uniform",
        "zeros": "zero",
        "ones": "one",
        "identity": "eye",
    }.items()
    for word in words.split()
}
"""What comes closest here to the name of a loss, an activation, an initializer, ...; where it is one of those known."""
