"""Music with a pulse, composed by rule: bands that keep time, for models that have to learn to."""
