"""What every other package builds on: errors, settings, the systemd service, metrics."""
