"""The service for `tests.support.gate`: each image waits at the gate before it is decoded."""

import os
import socket
from contextlib import suppress

import main
from classifier.api.app import create_app
from classifier.api.service import Service
from classifier.classifier import Classification, Classifier
from classifier.server import admission
from classifier.server.protocol import TimeoutProtocol
from tests.support.gate import GATE, PATIENCE
from tests.support.wait import HANG_SECONDS


class GatedClassifier(Classifier):
    """Sends each image to the gate and classifies it when the gate closes the connection."""

    def classify(self, data: bytes, top_k: int, *, explain: bool = False) -> Classification:
        # An open gate does not listen.
        with suppress(OSError), socket.socket(socket.AF_UNIX) as gate:
            gate.connect(os.environ[GATE])
            gate.sendall(b"%d\n" % os.getpid() + data)
            gate.shutdown(socket.SHUT_WR)
            gate.recv(1)
        return super().classify(data, top_k, explain=explain)


# The test decides when a connection that was accepted before the shutdown sends its request.
TimeoutProtocol.final_seconds = HANG_SECONDS

if PATIENCE in os.environ:
    vars(admission)["RETRY_SECONDS"] = int(os.environ[PATIENCE])

classifier = GatedClassifier(
    main.model,
    main.metrics,
    max_pixels=main.settings.max_pixels,
    memory=main.memory,
)
app = create_app(Service(classifier, main.settings, main.service.tracing))
