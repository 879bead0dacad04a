import sys

import httpx

with httpx.Client() as client:
    for path in sys.argv[1:]:
        with open(path, "rb") as photo:
            response = client.post("http://localhost:8000/", files={"file": photo})
        print(response.text)
