"""The clients, as people start them: without options that are there only for the service."""

from typing import Final

from tests.clients.client import PROGRAMS, Client
from tests.support import tools

_MIB: Final = 1 << 20


def _curl(name: str, command: str, photo_bytes: int = 0) -> Client:
    needs = (tools.CURL,)
    return Client(f"curl, {name}", command, needs, "curl --version", photo_bytes=photo_bytes)


def _wget(name: str, command: str) -> Client:
    return Client(f"wget, {name}", command, (tools.WGET,), "wget --version")


def _wget2(name: str, command: str) -> Client:
    return Client(f"wget2, {name}", command, (tools.WGET2,), "wget2 --version")


def _httpie(name: str, command: str) -> Client:
    return Client(f"HTTPie, {name}", command, (tools.PYTHON_CLIENTS,), "http --version")


def _python(name: str, file: str, package: str = "", *, reuses: bool = True) -> Client:
    version = f"python -c \"from importlib.metadata import version; print(version('{package}'))\""
    return Client(
        f"{name} (Python)",
        f"python {file} photo.jpg",
        (tools.PYTHON_CLIENTS,),
        version if package else "python --version",
        file,
        reuses=reuses,
    )


def _node(name: str, file: str, package: str = "") -> Client:
    return Client(
        f"{name} (Node)",
        f"node {file} photo.jpg",
        (tools.NODE_CLIENTS,),
        f"node -p \"require('./node_modules/{package}/package.json').version\""
        if package
        else "node --version",
        file,
        reuses=True,
    )


def _java(name: str, file: str) -> Client:
    main = file.removesuffix(".java")
    return Client(
        f"{name} (Java)",
        f"java {main} photo.jpg",
        (tools.JAVA,),
        "java -version 2>&1",
        file,
        build=f"javac {file}",
        reuses=True,
    )


CLIENTS: Final = (
    _curl("form", "curl --form file=@photo.jpg http://localhost:8000/"),
    _curl(
        "form of 2 MiB", "curl --form file=@photo.jpg http://localhost:8000/", photo_bytes=2 * _MIB
    ),
    _curl("form, HTTP/2", "curl --http2 --form file=@photo.jpg http://localhost:8000/"),
    _curl("raw", "curl --data-binary @photo.jpg http://localhost:8000/"),
    _curl("stream", "curl --request POST --upload-file - http://localhost:8000/ < photo.jpg"),
    _curl(
        "gzip",
        "gzip --stdout photo.jpg | curl --data-binary @- --header 'Content-Encoding: gzip' "
        "http://localhost:8000/",
    ),
    _curl(
        "base64 in JSON",
        r"""(printf '{"image":"'; base64 < photo.jpg | tr -d '\n'; printf '"}') | """
        "curl --json @- http://localhost:8000/",
    ),
    _wget(
        "--post-file",
        "wget --quiet --content-on-error --output-document=- --post-file=photo.jpg "
        "http://localhost:8000/",
    ),
    _wget(
        "--body-file",
        "wget --quiet --content-on-error --output-document=- --method=POST --body-file=photo.jpg "
        "http://localhost:8000/",
    ),
    _wget2(
        "--post-file",
        "wget2 --quiet --content-on-error --output-document=- --post-file=photo.jpg "
        "http://localhost:8000/",
    ),
    _httpie("form", "http --ignore-stdin --form POST http://localhost:8000/ file@photo.jpg"),
    _httpie("raw", "http --ignore-stdin POST http://localhost:8000/ @photo.jpg"),
    _python("requests", "client_requests.py", "requests"),
    _python("httpx", "client_httpx.py", "httpx"),
    _python("aiohttp", "client_aiohttp.py", "aiohttp"),
    _python("urllib", "client_urllib.py", reuses=False),
    _python("http.client", "client_http.py"),
    _python("huggingface_hub", "client_huggingface.py", "huggingface_hub"),
    _node("fetch", "client_fetch.mjs"),
    _node("axios", "client_axios.mjs", "axios"),
    _node("undici", "client_undici.mjs", "undici"),
    _node("@huggingface/inference", "client_huggingface.mjs", "@huggingface/inference"),
    _java("HttpClient", "ClientHttp.java"),
    _java("HttpURLConnection", "ClientUrl.java"),
    Client(
        "net/http (Go)",
        "./client photo.jpg",
        (tools.GO,),
        "go version",
        "client.go",
        build="go build -o client client.go",
        reuses=True,
    ),
    Client(
        "curl (PHP)",
        "php client.php photo.jpg",
        (tools.PHP,),
        "php --version",
        "client.php",
        reuses=True,
    ),
    Client(
        "Net::HTTP (Ruby)",
        "ruby client.rb photo.jpg",
        (tools.RUBY,),
        "ruby --version",
        "client.rb",
        reuses=True,
    ),
    Client(
        "LWP (Perl)",
        "perl client.pl photo.jpg",
        (tools.LWP,),
        "perl -MLWP -e 'print $LWP::VERSION'",
        "client.pl",
        reuses=True,
    ),
    *(
        Client(
            f"nginx, {buffering}",
            "curl --form file=@photo.jpg http://localhost:8000/",
            (tools.CURL, tools.NGINX),
            "nginx -v 2>&1",
            nginx=f"proxy_request_buffering {buffering};",
        )
        for buffering in ("on", "off")
    ),
)

FILES: Final = sorted(path.name for path in PROGRAMS.iterdir() if path.is_file())
