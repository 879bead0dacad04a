"""Run a model on pixels and store its logits and probabilities; also run in an emulator."""

import os
import sys

os.environ["ORT_DISABLE_TELEMETRY"] = "1"

import numpy as np
import onnxruntime as ort


def main(model: str, pixels: str, outputs: str) -> None:
    options = ort.SessionOptions()
    options.intra_op_num_threads = 1
    options.log_severity_level = 3
    session = ort.InferenceSession(model, options, providers=["CPUExecutionProvider"])
    names = ["logits", "probabilities"]
    results = [session.run(names, {"pixels": photo[None]}) for photo in np.load(pixels)]
    logits, probabilities = (np.concatenate(parts) for parts in zip(*results, strict=True))
    np.savez(outputs, logits=logits, probabilities=probabilities)


if __name__ == "__main__":
    main(*sys.argv[1:])
