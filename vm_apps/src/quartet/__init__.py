"""The apps of Quartet's VMs. Imports point one way; tests/test_imports.py says which."""
