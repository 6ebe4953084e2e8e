"""ONNX Runtime as a contestant in the forward pass: a graph of its RNN, LSTM or GRU operator and a Gemm.

It takes x batch-first, as all do: a Transpose is part of the graph, since the operators' batch-first layout is not
supported on the CPU. Its recurrent operators are float32 only.
"""

import numpy as np
import onnx
import onnxruntime as ort
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from bench.gates import ONNX, reorder
from bench.stepper import CallStepper, Kind, Stepper
from tests.helpers.cases import Case, make_data, make_weights

_OPERATORS = {"SimpleRNN": "RNN", "LSTM": "LSTM", "GRU": "GRU"}
_IR_VERSION, _OPSET = 10, 21

_threads = 1


def use_threads(threads: int) -> None:
    global _threads
    _threads = threads


def versions() -> str:
    return f"onnxruntime {ort.__version__}"


def calls(case: Case, kind: Kind) -> list[str]:
    has_operator = case.cell in _OPERATORS and case.dtype == "float32"
    return ["step"] if kind == "predict" and has_operator else []


def settings(case: Case, kind: Kind) -> list[str]:
    return ["run", "io binding"]


def prepare(case: Case, kind: Kind, call: str, setting: str) -> Stepper:
    options = ort.SessionOptions()
    options.intra_op_num_threads = _threads
    options.inter_op_num_threads = 1
    options.execution_mode = ort.ExecutionMode.ORT_SEQUENTIAL
    options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_ENABLE_ALL
    options.add_session_config_entry("session.set_denormal_as_zero", "1")
    session = ort.InferenceSession(_make_graph(case), options, providers=["CPUExecutionProvider"])
    x, _ = make_data(case)
    if setting == "run":
        return CallStepper(lambda: session.run(["y"], {"x": x})[0])
    binding = session.io_binding()
    binding.bind_cpu_input("x", x)
    y = np.empty((case.B, 1), np.float32)
    binding.bind_output("y", "cpu", 0, np.float32, y.shape, y.ctypes.data)

    def predict() -> NDArray[np.float32]:
        session.run_with_iobinding(binding)
        return y

    return CallStepper(predict)


def _make_graph(case: Case) -> bytes:
    order = ONNX[case.cell]
    *layer, dense_kernel, dense_bias = make_weights(case)
    kernel, recurrent_kernel, bias = (reorder(weight, order) for weight in layer)
    biases = bias.reshape(-1) if bias.ndim == 2 else np.concatenate([bias, np.zeros_like(bias)])
    values = {
        "W": kernel.T[None],
        "R": recurrent_kernel.T[None],
        "B": biases[None],
        "V": dense_kernel,
        "c": dense_bias,
        "direction": np.array([0]),
    }
    attributes = {"linear_before_reset": 1} if case.cell == "GRU" else {}
    nodes = [
        helper.make_node("Transpose", ["x"], ["steps"], perm=[1, 0, 2]),
        helper.make_node(
            _OPERATORS[case.cell], ["steps", "W", "R", "B"], ["", "state"], hidden_size=case.H, **attributes
        ),
        helper.make_node("Squeeze", ["state", "direction"], ["h"]),
        helper.make_node("Gemm", ["h", "V", "c"], ["y"]),
    ]
    graph = helper.make_graph(
        nodes,
        case.name,
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, [case.B, case.T, case.I])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, [case.B, 1])],
        [numpy_helper.from_array(np.ascontiguousarray(value), name) for name, value in values.items()],
    )
    model = helper.make_model(graph, ir_version=_IR_VERSION, opset_imports=[helper.make_opsetid("", _OPSET)])
    onnx.checker.check_model(model)
    return model.SerializeToString()
