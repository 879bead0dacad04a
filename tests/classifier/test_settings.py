"""Settings from the environment, validated at start."""

from collections.abc import Iterator

import pytest
from PIL import Image

from classifier.cpu import usable_cores
from classifier.settings import SHIPPED_MODEL, Settings, SettingsError
from tests.support.pictures import encode
from tests.support.server import Server, serving


def test_empty_environment_gives_the_defaults() -> None:
    settings = Settings.from_environment({})
    assert settings.model_dir == str(SHIPPED_MODEL)
    assert settings.max_bytes == 96 * 1024 * 1024
    assert settings.max_pixels == 250_000_000
    assert settings.memory_bytes == 0  # from the memory of the process
    assert settings.threads == usable_cores() >= 1
    assert settings.intra_op_threads == 1


def test_environment_overrides_the_defaults() -> None:
    environment = {"MODEL_DIR": "s3://bucket/prefix", "MAX_BYTES": " 1024 ", "THREADS": ""}
    settings = Settings.from_environment(environment)
    assert settings.model_dir == "s3://bucket/prefix"
    assert settings.max_bytes == 1024
    assert settings.threads == usable_cores()


@pytest.mark.parametrize("value", ["many", "0", "-1", "1.5", "20MB"])
def test_invalid_number_is_refused(value: str) -> None:
    message = f"^MAX_BYTES must be a whole number of bytes, 1 or more; it is '{value}'.$"
    with pytest.raises(SettingsError, match=message):
        Settings.from_environment({"MAX_BYTES": value})


@pytest.mark.parametrize(
    ("variable", "value", "message"),
    [
        ("MAX_HELD_BYTES", "1000", "MAX_HELD_BYTES must be MAX_BYTES, 100663296, or more"),
        ("MAX_DECODE_BYTES", "1", "MAX_DECODE_BYTES has been replaced by MEMORY_BYTES"),
        ("MEMORY_BYTES", "0", "MEMORY_BYTES must be a whole number of bytes, 1 or more; it is '0'"),
        ("MEMORY_BYTES", "1g", "MEMORY_BYTES must be a whole number of bytes, 1 or more"),
        ("MAX_HELD_BYTES", "-5", "MAX_HELD_BYTES must be a whole number of bytes, 1 or more"),
        ("API_KEY", "two words", "API_KEY must consist of printable ASCII without spaces"),
        ("API_KEY", "schlüssel", "API_KEY must consist of printable ASCII without spaces"),
        ("ACCESS_LOG", "yes", "ACCESS_LOG must be 0 or 1; it is 'yes'"),
        ("QUEUE", "0", "QUEUE must be a whole number of images, 1 or more"),
        ("BODY_SECONDS", "none", "BODY_SECONDS must be a whole number of seconds, 1 or more"),
        ("MAX_PIXELS", "lots", "MAX_PIXELS must be a whole number of pixels, 1 or more"),
        ("KEEP_ALIVE_SECONDS", "1m", "KEEP_ALIVE_SECONDS must be a whole number of seconds, 1 or"),
        ("CORS_ORIGINS", "example.com", "CORS_ORIGINS must be .* or origins .* 'example.com'"),
        ("CORS_ORIGINS", "https://a.example/", "CORS_ORIGINS must be .* 'https://a.example/'"),
        ("CORS_ORIGINS", "https://*.example", "CORS_ORIGINS must be"),
        ("CORS_ORIGINS", "https://a.example, *", "CORS_ORIGINS must be"),
        ("CORS_ORIGINS", "https://a.example https://b.example", "CORS_ORIGINS must be"),
        ("CORS_ORIGINS", "null", "CORS_ORIGINS must be"),
        ("PROMETHEUS_MULTIPROC_DIR", "/none", "PROMETHEUS_MULTIPROC_DIR must be a directory"),
        ("WEB_CONCURRENCY", "auto", "WEB_CONCURRENCY must be a whole number of processes, 1 or"),
        ("WEB_CONCURRENCY", "0", "WEB_CONCURRENCY must be a whole number of processes, 1 or more"),
        ("PORT", "0", "^PORT must be a whole number from 1 to 65535; it is '0'"),
        ("PORT", "65536", "^PORT must be a whole number from 1 to 65535; it is '65536'"),
        ("DRAIN_SECONDS", "-1", "DRAIN_SECONDS must be a whole number of seconds, 0 or more"),
    ],
)
def test_invalid_setting_is_refused_with_a_reason(variable: str, value: str, message: str) -> None:
    with pytest.raises(SettingsError, match=message):
        Settings.from_environment({variable: value})


@pytest.mark.parametrize(
    ("processes", "threads", "queue", "memory"), [(1, 7, 10, 900), (2, 4, 5, 450), (4, 2, 3, 225)]
)
def test_share_of_a_process_is_rounded_up(
    processes: int, threads: int, queue: int, memory: int
) -> None:
    service = Settings(threads=7, queue=10, memory_bytes=900, max_held_bytes=900, max_bytes=100)
    share = service.share(processes)
    assert (share.threads, share.queue, share.web_concurrency) == (threads, queue, processes)
    assert (share.memory_bytes, share.max_held_bytes) == (memory, memory)
    assert share.max_bytes == 100  # of one request


@pytest.mark.parametrize(
    ("text", "origins"),
    [
        ("", set()),
        ("*", {"*"}),
        ("https://a.example", {"https://a.example"}),
        (
            " https://A.example:443 ,http://localhost:3000,",
            {"https://a.example", "http://localhost:3000"},
        ),
        ("http://a.example:80,https://a.example:80", {"http://a.example", "https://a.example:80"}),
        ("http://[::1]:8080,capacitor://localhost", {"http://[::1]:8080", "capacitor://localhost"}),
    ],
)
def test_origins_are_read_as_browsers_send_them(text: str, origins: set[str]) -> None:
    assert Settings.from_environment({"CORS_ORIGINS": text}).allowed_origins == origins


def test_share_has_a_thread_and_derives_what_the_service_derives() -> None:
    share = Settings(threads=1, queue=1).share(3)
    assert (share.threads, share.queue) == (1, 1)
    assert (share.memory_bytes, share.max_held_bytes) == (0, 0)


def test_share_that_cannot_hold_the_largest_body_is_refused() -> None:
    message = "MAX_HELD_BYTES must be MAX_BYTES, 100, or more; it is 75 in each of 2 processes"
    with pytest.raises(SettingsError, match=message):
        Settings(max_bytes=100, max_held_bytes=150).share(2)


def test_fewer_threads_than_processes_are_refused() -> None:
    with pytest.raises(SettingsError, match=r"^THREADS must be WEB_CONCURRENCY, 3, or more: .* 2"):
        Settings.from_environment({"THREADS": "2", "WEB_CONCURRENCY": "3"})
    assert Settings.from_environment({"WEB_CONCURRENCY": "999"}).web_concurrency == 999


@pytest.mark.parametrize("name", ["WEB_CONCURRENCY", "HOST", "PORT", "DRAIN_SECONDS"])
def test_lambda_ignores_what_is_for_servers(name: str) -> None:
    environment = {"AWS_LAMBDA_FUNCTION_NAME": "name", name: "auto"}
    settings = Settings.from_environment(environment)
    assert settings == Settings.from_environment({"AWS_LAMBDA_FUNCTION_NAME": "name"})


def test_zero_is_a_value_where_it_means_something() -> None:
    assert Settings.from_environment({"DRAIN_SECONDS": "0"}).drain_seconds == 0
    assert Settings.from_environment({"PORT": "65535"}).port == 65535


def test_repr_does_not_show_the_key() -> None:
    assert "secret" not in repr(Settings(api_key="secret"))


# A running server


@pytest.fixture(scope="module")
def configured(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    settings = {"MAX_BYTES": "10000", "MAX_PIXELS": "10000", "ACCESS_LOG": "0"}
    with serving(tmp_path_factory.mktemp("configured") / "log", **settings) as server:
        yield server


def test_limits_are_configurable(configured: Server, sample: bytes) -> None:
    small = encode(Image.new("1", (101, 100)), "PNG")
    for image, reason in ((sample, "0.009537 MiB"), (small, "0.0 megapixels")):
        response = configured.client.post("/", files={"file": image})
        assert response.status_code == 413
        assert reason in response.json()["detail"]


def test_access_log_can_be_disabled(configured: Server) -> None:
    """After the second response, the line of the first request would have been written."""
    for _ in range(2):
        assert configured.client.get("/model").status_code == 200
    assert "/model" not in configured.log.read_text()
