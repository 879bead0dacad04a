import sys
from http.client import HTTPConnection

connection = HTTPConnection("localhost:8000")
for path in sys.argv[1:]:
    with open(path, "rb") as photo:
        connection.request("POST", "/", body=photo)
        print(connection.getresponse().read().decode())
connection.close()
