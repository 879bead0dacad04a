"""The template, and the commands sam build, sam local start-api and sam local invoke."""

import json
import os
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from tests.support.lambda_events import Shape, v1, v2
from tests.support.paths import ROOT, SAMPLE
from tests.support.pictures import encode, photo
from tests.support.ports import free_port
from tests.support.wait import HANG_SECONDS, wait_until

ENVIRONMENT = {**os.environ, "SAM_CLI_TELEMETRY": "0", "AWS_DEFAULT_REGION": "eu-central-1"}


@pytest.fixture(scope="module")
def built(sam: str, base_image: None, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The output directory of sam build."""
    directory = tmp_path_factory.mktemp("sam") / "build"
    run(sam, "build", "--build-dir", str(directory))
    return directory


def run(*command: str) -> subprocess.CompletedProcess[str]:
    done = subprocess.run(
        command, cwd=ROOT, env=ENVIRONMENT, capture_output=True, text=True, timeout=600, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done


def test_template_is_valid(sam: str) -> None:
    assert "is a valid SAM Template" in run(sam, "validate", "--lint").stdout
    run(str(Path(sam).with_name("cfn-lint")), "template.yaml")


@pytest.fixture(scope="module")
def api(sam: str, built: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[httpx.Client]:
    """A client of sam local start-api."""
    port = free_port()
    log = tmp_path_factory.mktemp("start-api") / "log"
    command = [sam, "local", "start-api", "--template", str(built / "template.yaml")]
    with log.open("wb") as output:
        process = subprocess.Popen(
            [*command, "--port", str(port), "--warm-containers", "EAGER"],
            cwd=ROOT,
            env=ENVIRONMENT,
            stdout=output,
            stderr=subprocess.STDOUT,
        )

    def is_healthy() -> bool:
        assert process.poll() is None, log.read_text()
        try:
            return client.get("/healthz").status_code == 200
        except httpx.TransportError:
            return False

    try:
        with httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=HANG_SECONDS) as client:
            wait_until(is_healthy, "a healthy API")
            yield client
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(timeout=HANG_SECONDS)
        print(log.read_text())  # pytest shows it if a test fails


def large_jpeg() -> bytes:
    """A photo of about 4 MB."""
    wide = photo("coffee.png").resize((5000, 3300))
    content = encode(wide, "JPEG", quality=97, subsampling=0)
    assert 3_500_000 < len(content) < 4_500_000, len(content)
    return content


def pictures() -> dict[str, bytes]:
    transparent = photo("coffee.png").convert("RGBA")
    transparent.putalpha(200)
    return {
        "JPEG": SAMPLE.read_bytes(),
        "PNG with alpha": encode(transparent, "PNG"),
        "4 MB": large_jpeg(),
    }


@pytest.mark.parametrize("name", ["JPEG", "PNG with alpha", "4 MB"])
def test_uploads_get_the_predictions_of_uvicorn(
    api: httpx.Client, client: httpx.Client, name: str
) -> None:
    content = pictures()[name]
    response = api.post("/", files={"file": content})
    assert response.status_code == 200
    assert response.json() == client.post("/", files={"file": content}).json()


def test_page_and_its_assets_load(api: httpx.Client) -> None:
    page = api.get("/", headers={"accept": "text/html"})
    assert "<form" in page.text
    assert api.get("/page/page.js").headers["content-type"].startswith("text/javascript")


def test_problems_pass_the_gateway(api: httpx.Client) -> None:
    assert api.post("/", files={"file": b"no image"}).status_code == 415
    assert api.get("/nothing").json()["status"] == 404


def test_too_large_image_is_referred_to_uploads(api: httpx.Client) -> None:
    refused = api.post("/", files={"file": bytes(4_610_000)})
    assert refused.status_code == 413
    assert "POST /uploads" in refused.json()["detail"]


def test_uploads_returns_a_key(api: httpx.Client) -> None:
    offer = api.post("/uploads").json()
    assert offer["key"].startswith("uploads/")


@pytest.mark.parametrize("shape", [v1, v2])
def test_sam_local_invoke_returns_the_response(
    sam: str, built: Path, tmp_path: Path, shape: Shape
) -> None:
    event = tmp_path / "event.json"
    event.write_text(json.dumps(shape("GET", "/healthz", b"", {})))
    template = str(built / "template.yaml")
    done = run(sam, "local", "invoke", "--template", template, "--event", str(event))
    response = json.loads(done.stdout.strip().splitlines()[-1])
    assert response["statusCode"] == 200
    assert json.loads(response["body"])["status"] == "ok"
