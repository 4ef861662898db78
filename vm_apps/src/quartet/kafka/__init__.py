"""The adapter to Kafka: clients, consumer group, outbox and dead letters."""
