"""The order side of the runtime: what was seen is stored, decided, imported; what left is sent."""
