"""The promises of the pipeline, each judged by the evidence that it needs. Pure."""
