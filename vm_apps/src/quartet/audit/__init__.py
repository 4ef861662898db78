"""What judges and shows the pipeline: verify, report, trace, status."""
