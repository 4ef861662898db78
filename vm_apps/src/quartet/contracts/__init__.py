"""The records exchanged between the apps: ids, validation, encoding and decoding. Specified in docs/contracts.md."""
