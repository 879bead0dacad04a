import sys

import requests

with requests.Session() as session:
    for path in sys.argv[1:]:
        with open(path, "rb") as photo:
            response = session.post("http://localhost:8000/", files={"file": photo})
        print(response.text)
