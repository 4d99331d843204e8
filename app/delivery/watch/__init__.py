"""What is told of delivery: counts for the metrics, lines of the log, signs of life."""
