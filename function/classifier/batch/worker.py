"""A worker process: receives paths, sends rows. Its parent is `classifier.batch.workers`."""

import threading
from contextlib import suppress
from multiprocessing.connection import Connection
from typing import Final

from classifier.artifact import ArtifactError
from classifier.batch.files import FileClassifier
from classifier.batch.messages import Ready, Refused
from classifier.classifier import Classifier
from classifier.model import load_model
from classifier.server.memory import process_budget
from classifier.settings import Settings, SettingsError
from classifier.telemetry.metrics import Metrics

_ENDED: Final = (EOFError, OSError)
"""The parent has closed the connection, or has been killed."""


def main(descriptor: int) -> None:
    """Serve the connection with this number until it is closed. It begins with the settings, the
    share of this process, and the number of predictions."""
    with suppress(*_ENDED), Connection(descriptor) as connection:
        settings, top_k = connection.recv()
        _work(connection, settings, top_k)


def _work(connection: Connection, settings: Settings, top_k: int) -> None:
    """Classify each path that is received, in `settings.threads` at once."""
    try:
        model = load_model(settings.model_dir, intra_op_threads=settings.intra_op_threads)
        memory = process_budget(settings)
    except (SettingsError, ArtifactError) as error:
        connection.send(Refused(str(error)))
        return
    except ModuleNotFoundError as error:
        if error.name != "boto3":
            raise
        connection.send(Refused("A model in S3 needs the package boto3. Install it."))
        return
    classifier = Classifier(model, Metrics(), max_pixels=settings.max_pixels, memory=memory)
    classify = FileClassifier(classifier, max_bytes=settings.max_bytes, top_k=top_k)
    connection.send(Ready(model.card.name, model.classes))
    receiving, sending = threading.Lock(), threading.Lock()

    def run() -> None:
        with suppress(*_ENDED):
            while True:
                with receiving:
                    number, path = connection.recv()
                row = classify(path)
                with sending:
                    connection.send((number, row))

    threads = [threading.Thread(target=run) for _ in range(settings.threads - 1)]
    for thread in threads:
        thread.start()
    run()
    for thread in threads:
        thread.join()
