"""An image classifier as in tutorials: everything in an async endpoint, all pixels decoded, floats
throughout, the FP32 model with default session options.

The environment variable MODEL is the path of the model: float32 [N, 3, 224, 224], normalized.
"""

import io
import os

import numpy as np
import onnxruntime as ort
from fastapi import FastAPI, UploadFile
from numpy.typing import NDArray
from PIL import Image

app = FastAPI()
session = ort.InferenceSession(os.environ["MODEL"])
input_name = session.get_inputs()[0].name


def preprocess(image: Image.Image) -> NDArray[np.float32]:
    image = image.convert("RGB")
    scale = 256 / min(image.size)
    image = image.resize(
        (round(image.width * scale), round(image.height * scale)), Image.Resampling.BICUBIC
    )
    left, top = (image.width - 224) // 2, (image.height - 224) // 2
    image = image.crop((left, top, left + 224, top + 224))
    array = np.array(image).astype(np.float32)
    array = (array - 127.0) / 128.0
    return np.expand_dims(np.transpose(array, (2, 0, 1)), 0)


@app.post("/")
async def classify(file: UploadFile) -> dict[str, float]:
    image = Image.open(io.BytesIO(await file.read()))
    probabilities = session.run(None, {input_name: preprocess(image)})[0][0]
    index = int(np.argmax(probabilities))
    return {"index": index, "probability": float(probabilities[index])}
