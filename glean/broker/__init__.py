"""RabbitMQ: runs are handed to workers and events published, each until the broker confirms it.

The database says what is to be sent and what was confirmed; a message says which run to look for
there. So a message may be lost or come twice, and nothing else is.
"""
