"""Which services mail goes through: the way of a batch, circuit breakers, rates."""
