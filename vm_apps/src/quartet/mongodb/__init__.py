"""The adapter to MongoDB: the client and a write-once collection."""
