"""The run loop of the consumers, and a thread for their writes."""
