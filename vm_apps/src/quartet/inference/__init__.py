"""The inference consumer, the model that it runs, and how one is made."""
