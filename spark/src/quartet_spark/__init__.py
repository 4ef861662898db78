"""The two Spark jobs, which build on the apps' package `quartet`."""
