"""What the processors count."""

from prometheus_client import Counter, Gauge

OUTPUTS = Counter("clawstream_processors_outputs", "Records put out, repeats included", ["topic"])
REJECTIONS = Counter("clawstream_processors_rejections", "Steps rejected, repeats included", ["reason"])
OPEN = Gauge("clawstream_processors_open", "Open trajectories and groups of this worker", ["what"])
REMEMBERED = Gauge("clawstream_processors_remembered", "Closed ones that are still remembered", ["what"])
