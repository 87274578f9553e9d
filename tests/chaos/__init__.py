"""Chaos: whole scenarios with faults injected, checked against the books of simulated stores."""
