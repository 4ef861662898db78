"""How inferences are counted: the single definition that the Spark batch, the Spark stream and `quartet verify` share."""
