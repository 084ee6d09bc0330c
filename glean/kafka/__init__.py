"""Messages of a federation over the topics of a Kafka: signed, in chunks, kept until acknowledged.

A topic is open to all who may write to it, and a broker may lose what it took. So every record is
signed by who sends it, and stays in an outbox until its receiver, not the broker, has acknowledged
it; each message is taken once, by its id.
"""
