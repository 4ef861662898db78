"""The ground under every part: errors, settings, the process as systemd sees it, metrics."""
