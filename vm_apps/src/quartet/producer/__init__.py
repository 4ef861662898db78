"""The IoT producer: reads images of a data set and sends them."""
