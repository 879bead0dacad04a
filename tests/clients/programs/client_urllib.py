import sys
from pathlib import Path
from urllib.error import HTTPError
from urllib.request import urlopen

for path in sys.argv[1:]:
    try:
        response = urlopen("http://localhost:8000/", data=Path(path).read_bytes())
    except HTTPError as error:
        response = error
    with response:
        print(response.read().decode())
