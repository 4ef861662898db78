"""The database as the apps use it."""
