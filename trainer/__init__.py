"""The trainer: a consumer group on ``samples`` that updates the policy in windows and announces each version."""
