"""The gateway's Prometheus metrics."""

from functools import cache

from prometheus_client import Counter, Gauge, Histogram

_SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300)

REQUESTS = Counter("clawstream_gateway_requests", "Requests answered", ["route", "status"])
REQUEST_SECONDS = Histogram(
    "clawstream_gateway_request_seconds", "From request to end of answer", ["route"], buckets=_SECONDS
)
FIRST_TOKEN_SECONDS = Histogram(
    "clawstream_gateway_first_token_seconds", "From request to the node's first token", buckets=_SECONDS
)
SEAL_SECONDS = Histogram(
    "clawstream_gateway_seal_seconds", "From handing a step to Kafka to its acknowledgement", buckets=_SECONDS
)
STEPS_RECORDED = Counter("clawstream_gateway_steps", "Steps recorded", ["turn_type", "continues"])
UNTRAINABLE = Counter("clawstream_gateway_untrainable_steps", "Steps recorded that may not train", ["kind"])
UNRECORDED = Counter("clawstream_gateway_unrecorded_steps", "Steps that were not in Kafka in time", ["answer"])
RECORDED_LATE = Counter("clawstream_gateway_recorded_late", "Records acknowledged after their call was answered so")
UNACKNOWLEDGED = Gauge(
    "clawstream_gateway_unacknowledged_records", "Records that wait for Kafka", multiprocess_mode="liveall"
)
RECORDING = Gauge("clawstream_gateway_recording", "0 while Kafka acknowledges nothing", multiprocess_mode="liveall")
BLOB_BYTES = Counter("clawstream_gateway_blob_bytes", "Content parts that steps refer to, each time they do")
TENANT_REQUESTS = Counter("clawstream_gateway_tenant_requests", "Requests let in", ["tenant"])
TENANT_TOKENS = Counter("clawstream_gateway_tenant_tokens", "Tokens of prompts and answers", ["tenant"])
TENANT_REFUSED = Counter("clawstream_gateway_tenant_refused", "Requests over a limit", ["tenant", "limit"])
BODY_BYTES = Gauge("clawstream_gateway_body_bytes", "Room that bodies take", multiprocess_mode="liveall")
NODE_RETRIES = Counter("clawstream_gateway_node_retries", "Calls that had to go to another node", ["node"])
IN_FLIGHT = Gauge("clawstream_gateway_in_flight", "Model calls under way", multiprocess_mode="liveall")
NODES_LIVE = Gauge("clawstream_gateway_nodes_live", "Nodes to which calls may go", multiprocess_mode="liveall")
PREFIX_TOKENS = Gauge(
    "clawstream_gateway_prefix_tokens", "Tokens of earlier steps held in memory", multiprocess_mode="liveall"
)
BRANCHES = Counter("clawstream_gateway_branches", "Steps that start a branch", ["reason"])
CATCH_UPS = Counter("clawstream_gateway_catch_ups", "Calls that waited for the log", ["reached"])
RETRIES = Counter("clawstream_gateway_retries", "Calls that were another try of a known one", ["outcome"])
RETRIES_SHED = Counter("clawstream_gateway_retries_shed", "Answers that retries can no longer get, for want of room")
RETRY_BYTES = Gauge("clawstream_gateway_retry_bytes", "Answers kept for retries", multiprocess_mode="liveall")

# of labels, looked up once: prometheus_client takes longer to find a child than to count
requests, request_seconds = cache(REQUESTS.labels), cache(REQUEST_SECONDS.labels)
steps_recorded = cache(STEPS_RECORDED.labels)
tenant_requests, tenant_tokens = cache(TENANT_REQUESTS.labels), cache(TENANT_TOKENS.labels)
