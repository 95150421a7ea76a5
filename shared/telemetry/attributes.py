"""Every attribute that a span of ours may carry: `tracing` refuses any other.

None of them can identify a patient: no names, numbers, dates or UIDs of the source.
"""

ATTEMPT = "clarion.attempt"
CODE = "clarion.code"
DESTINATION = "clarion.destination"
GATE_DISTANCE = "clarion.gate.distance"
INSTANCES = "clarion.instances"
JOB = "clarion.job_id"
KIND = "clarion.kind"
LANE = "clarion.lane"
MODEL = "clarion.model"
PIPELINE = "clarion.pipeline"
REUSED_FROM = "clarion.reused_from"
RULE = "clarion.rule"
RUN = "clarion.run"
STAGE = "clarion.stage"
WAIT = "clarion.wait"

MESSAGING_SYSTEM = "messaging.system"
MESSAGING_DESTINATION = "messaging.destination.name"
MESSAGING_PARTITION = "messaging.destination.partition.id"
MESSAGING_OFFSET = "messaging.kafka.offset"
MESSAGING_GROUP = "messaging.consumer.group.name"
MESSAGING_ID = "messaging.message.id"

ALLOWED = frozenset(value for name, value in dict(globals()).items() if name.isupper())
