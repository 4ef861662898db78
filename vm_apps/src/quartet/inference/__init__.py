"""The inference consumer, its model, and the training of a model."""
