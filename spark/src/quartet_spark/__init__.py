"""What Spark's two jobs do, beside the apps' package `quartet`."""
