"""Backup, restore drill and restore of the database, with the state of Kafka that belongs to it."""
