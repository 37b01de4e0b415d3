"""Ask the server about one photograph."""

import sys
from pathlib import Path

import numpy as np
import tritonclient.http as http

client = http.InferenceServerClient("localhost:8000", network_timeout=10.0)
photo = np.frombuffer(Path(sys.argv[1]).read_bytes(), dtype=np.uint8)[None]
asked = http.InferInput("PHOTO", photo.shape, "UINT8")
asked.set_data_from_numpy(photo)
print(client.infer("meter", [asked]).as_numpy("DIGITS"))
