"""Measuring a whole network of real processes on this machine: what `xinqiao bench` does."""
