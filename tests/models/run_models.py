"""Run models on stored inputs and store their outputs; also run in an emulator.

Arguments: model, inputs and outputs of each job. Inputs are an .npz file with an array [R, ...] for
each input, for R runs; outputs are one with an array [R, ...] for each output.
"""

import os
import sys

os.environ["ORT_DISABLE_TELEMETRY"] = "1"

import numpy as np
import onnxruntime as ort


def run(model: str, inputs: str, outputs: str) -> None:
    options = ort.SessionOptions()
    options.intra_op_num_threads = 1
    options.log_severity_level = 3
    session = ort.InferenceSession(model, options, providers=["CPUExecutionProvider"])
    with np.load(inputs) as stored:
        feeds = dict(stored)
    names = [output.name for output in session.get_outputs() if output.name != "class_map"]
    count = len(next(iter(feeds.values())))
    results = [
        session.run(names, {name: values[each] for name, values in feeds.items()})
        for each in range(count)
    ]
    stacked = (np.stack(values) for values in zip(*results, strict=True))
    np.savez(outputs, **dict(zip(names, stacked, strict=True)))


if __name__ == "__main__":
    for job in zip(*[iter(sys.argv[1:])] * 3, strict=True):
        run(*job)
