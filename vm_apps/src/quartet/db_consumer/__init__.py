"""The DB consumers: store a topic in the database."""
