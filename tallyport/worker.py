"""The worker process: runs the queue's worker, and starts it again when it ends by itself.

The queue's library ends its worker when Redis goes away; work is found in the database, so the worker
must come back as soon as it can.
"""
