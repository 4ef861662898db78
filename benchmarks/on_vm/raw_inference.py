"""The raw forward pass of the model that the inference unit runs: images per second over BATCHES batches. Prints one number."""

import json
import sys
import time
from pathlib import Path

import torch
from quartet.inference.classifier import Classifier
from quartet.runtime.settings import InferenceSettings

batches = int(sys.argv[1])
chosen = InferenceSettings.model_validate(json.loads(Path("/etc/quartet/inference/inference.json").read_text()))
model = Classifier(chosen.model_file, chosen.model_sha256, chosen.device, chosen.dtype, chosen.threads)
model.warm_up(chosen.batch_size)
# The network alone, on a resident tensor: no bytes, no normalisation, no softmax, no labels
net, kind = model._net, model._dtype
batch = torch.rand(chosen.batch_size, 3, 32, 32).to(device=model.device, dtype=kind, memory_format=torch.channels_last)
with torch.inference_mode():
    for _ in range(3):
        net(batch)
    begin = time.monotonic()
    for _ in range(batches):
        result = net(batch)
    float(result.sum())
print(batches * chosen.batch_size / (time.monotonic() - begin))
