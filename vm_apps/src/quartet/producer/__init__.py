"""The producer: reads images from a data set and sends them to Kafka."""
