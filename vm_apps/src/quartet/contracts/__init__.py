"""The records that travel between the parts: ids, checks and codecs. The prose is in docs/contracts.md."""
