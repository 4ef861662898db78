"""Kafka as the apps use it."""
