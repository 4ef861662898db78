"""Side-by-side measurements of Quartet, each printing a ratio: `make bench`, or `python -m benchmarks NAME …`."""
