"""The command: settings, embedded services, wiring and entry points of Tallyport."""

__version__ = "0.1.0"
