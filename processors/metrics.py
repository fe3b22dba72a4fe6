"""What the processors count."""

from prometheus_client import Counter, Gauge, Histogram

OUTPUTS = Counter("clawstream_processors_outputs", "Records put out, repeats included", ["topic"])
REJECTIONS = Counter("clawstream_processors_rejections", "Steps rejected, repeats included", ["reason"])
TOO_LATE = Counter("clawstream_processors_too_late", "Rewards and reviews that came after their samples were put out")
SCORED = Counter("clawstream_processors_scored", "Subjects by what became of them", ["scorer", "outcome"])
SCORE_SECONDS = Histogram("clawstream_processors_score_seconds", "From a job's start to its reward", ["scorer"])
SCORING = Gauge("clawstream_processors_scoring", "Jobs that wait or run", ["scorer", "state"])
OPEN = Gauge("clawstream_processors_open", "Open trajectories and groups of this worker", ["what"])
RESTORE_SECONDS = Gauge("clawstream_processors_restore_seconds", "What reading tables back took at the last assignment")
REMEMBERED = Gauge("clawstream_processors_remembered", "Closed ones that are still remembered", ["what"])
