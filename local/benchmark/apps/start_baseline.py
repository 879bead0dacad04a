"""The minimum for any response: the imports, a session, one run. MODEL is the path of the model."""

import os
from pathlib import Path

import fastapi  # noqa: F401
import numpy as np
import onnxruntime as ort
import PIL.Image  # noqa: F401

options = ort.SessionOptions()
options.intra_op_num_threads = 1
session = ort.InferenceSession(
    Path(os.environ["MODEL"]).read_bytes(), options, providers=["CPUExecutionProvider"]
)
(source,) = session.get_inputs()
session.run(None, {source.name: np.zeros([1, *source.shape[1:]], np.uint8)})
print("answered {}", flush=True)
