"""The live console: one web page that shows the pipeline at work. It changes nothing."""
