"""The auditing commands: verify, report, trace, status and dead-letters."""
