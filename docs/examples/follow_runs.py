"""Print what happens in all runs, each event once: GLEAN_BROKER=amqp://... follow_runs.py NAME."""

import json
import os
import sys

import pika

TOPIC = "glean.run.*.round_finished"  # or "glean.run.#": all events of all runs

queue = f"follow-{sys.argv[1]}"
connection = pika.BlockingConnection(pika.URLParameters(os.environ["GLEAN_BROKER"]))
channel = connection.channel()
channel.exchange_declare("glean.events", "topic", durable=True)
channel.queue_declare(queue, durable=True)  # it keeps what comes while this program is away
channel.queue_bind(queue, "glean.events", TOPIC)
channel.basic_qos(prefetch_count=100)
had: set[tuple[str, int]] = set()  # to be kept in a table where a restart shall know it

for delivery, _, body in channel.consume(queue):
    event = json.loads(body)
    if (event["run"], event["number"]) not in had:  # one that came before is left out
        print(event["run"], event["number"], event["round"], flush=True)
        had.add((event["run"], event["number"]))
    channel.basic_ack(delivery.delivery_tag)  # after the work: what isn't acknowledged comes again
