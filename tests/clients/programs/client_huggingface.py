import json
import sys

from huggingface_hub import InferenceClient
from huggingface_hub.errors import HfHubHTTPError

client = InferenceClient("http://localhost:8000/")
for path in sys.argv[1:]:
    try:
        print(json.dumps(client.image_classification(path)))
    except HfHubHTTPError as error:
        print(error.response.text)
