"""Polls Kafka and the database for group monitor, and serves what it found as metrics."""
