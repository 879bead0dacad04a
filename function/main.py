"""The application: `app` for uvicorn (`uvicorn main:app`)."""

import sys

from classifier.api import create_app
from classifier.artifact import ArtifactError, load_artifact
from classifier.model import Model
from classifier.settings import Settings, SettingsError

try:
    settings = Settings.from_environment()
    model = Model(load_artifact(settings.model_dir), intra_op_threads=settings.intra_op_threads)
except (SettingsError, ArtifactError) as error:
    print(f"error: {error}", file=sys.stderr)
    raise SystemExit(2) from None

app = create_app(model, settings)
