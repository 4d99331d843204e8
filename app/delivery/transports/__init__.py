"""The ways mail can leave: one file per provider, all behind the interface in `base`."""
