"""The service, with clocks around the calls that release the GIL, or with sleeps instead of them.

These are the calls in which a photo spends its time: Pillow's decoder and resize, and ONNX
Runtime's run. Everything else, of which only copies of pixels are C, counts as Python.

Environment variable SLEEPS: JSON with the seconds of each call, by `PARTS`. With it, the calls
sleep, outside the GIL, and their results are those of the first image; without it, they are real,
and GET /outside has the CPU seconds and the number of calls so far.
"""

import ctypes
import json
import os
import threading
import time
from collections.abc import Callable
from typing import Any, Final

import numpy as np
from PIL import Image

import main

PARTS: Final = ("decode", "resize", "infer")

_END_OF_JPEG: Final = b"\xff\xd9"
_DECODED: Final = (-1, 0)
"""The result of a decoder that is done (PIL.ImageFile.load)"""

_PR_SET_TIMERSLACK: Final = 29
"""prctl(2). By default Linux lets each sleep last up to 50 us longer, so that timers coincide."""

_sleeps: dict[str, float] = json.loads(os.environ.get("SLEEPS", "{}"))
_lock = threading.Lock()
_seconds = dict.fromkeys(PARTS, 0.0)
_calls = dict.fromkeys(PARTS, 0)


def timed(part: str, call: Callable[..., Any]) -> Callable[..., Any]:
    """`call`, whose CPU time and number count as those of `part`."""

    def measured(*arguments: Any, **options: Any) -> Any:
        start = time.thread_time()
        try:
            return call(*arguments, **options)
        finally:
            spent = time.thread_time() - start
            with _lock:
                _seconds[part] += spent
                _calls[part] += 1

    return measured


def asleep(part: str, result: Any) -> Callable[..., Any]:
    """A call that takes the time of `part` and returns `result`."""

    def sleep(*_: Any, **__: Any) -> Any:
        time.sleep(_sleeps[part])
        return result

    return sleep


class Decoder:
    """A decoder of Pillow whose decode method is `decode`."""

    def __init__(self, decoder: Any, decode: Callable[[bytes], tuple[int, int]]) -> None:
        self._decoder = decoder
        self.decode = decode

    def __getattr__(self, name: str) -> Any:
        return getattr(self._decoder, name)


class Session:
    """A session of ONNX Runtime whose run method is `run`."""

    def __init__(self, run: Callable[..., Any]) -> None:
        self.run = run


def sleeping_decode(data: bytes) -> tuple[int, int]:
    """Like a decoder of JPEG: takes all of `data`, and is done at its end."""
    time.sleep(_sleeps["decode"])
    return _DECODED if data.endswith(_END_OF_JPEG) else (len(data), 0)


def replace_calls() -> None:
    """Put the clocks or the sleeps around the calls."""
    get_decoder, resize = Image._getdecoder, Image.Image.resize
    session = main.model._session
    size = main.model.card.size
    if _sleeps:
        blank = Image.new("RGB", (size, size))
        pixels = np.zeros((1, size, size, 3), np.uint8)
        result = session.run([main.model._output], {main.model._input: pixels})
        run = asleep("infer", result)
        Image.Image.resize = asleep("resize", blank)  # type: ignore[method-assign]
    else:
        run = timed("infer", session.run)
        Image.Image.resize = timed("resize", resize)  # type: ignore[method-assign]

    def decoder_of(*arguments: Any) -> Decoder:
        decoder = get_decoder(*arguments)
        return Decoder(decoder, sleeping_decode if _sleeps else timed("decode", decoder.decode))

    Image._getdecoder = decoder_of  # type: ignore[assignment]
    main.model._session = Session(run)
    ctypes.CDLL(None).prctl(_PR_SET_TIMERSLACK, 1)  # the threads of the pool inherit it


def outside() -> dict[str, Any]:
    """CPU seconds and number of calls so far, by part."""
    with _lock:
        return {"seconds": dict(_seconds), "calls": dict(_calls)}


replace_calls()
app = main.app
app.add_api_route("/outside", outside)  # type: ignore[attr-defined]
