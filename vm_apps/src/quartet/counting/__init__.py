"""What is counted: the one definition that the Spark batch, the Spark stream and `quartet verify` share."""
