"""The tables of the index.

Invariant: everything here follows from topics; ``offsets`` says how far, in the same transaction as what was read. A
file of another ``LAYOUT`` is thrown away and built again. ``search`` keeps no text: what is deleted from it is told
again from the record.
"""

LAYOUT = 2  # counted up with every change of a table, or of what text is searched

TABLES = """
CREATE TABLE offsets (topic TEXT, "partition" INTEGER, next INTEGER, PRIMARY KEY (topic, "partition")) WITHOUT ROWID;

CREATE TABLE records (
    number INTEGER PRIMARY KEY,         -- in the order in which they were read; of one key: the log's
    topic TEXT NOT NULL,
    record_id TEXT NOT NULL,            -- a record that is written again has the same one, and is left out
    tenant TEXT NOT NULL,
    trajectory_id TEXT NOT NULL,        -- empty: about none
    step_id TEXT NOT NULL,              -- empty: about none
    at_ms INTEGER NOT NULL,
    "partition" INTEGER NOT NULL,
    "offset" INTEGER NOT NULL,
    value BLOB NOT NULL,                -- as it lies in the log; of a trajectory, without its sequences
    UNIQUE (topic, record_id)
);
CREATE INDEX records_of_trajectory ON records (trajectory_id, tenant);

CREATE TABLE trajectories (             -- what a list shows
    number INTEGER PRIMARY KEY,
    tenant TEXT NOT NULL,
    trajectory_id TEXT NOT NULL,
    group_id TEXT NOT NULL DEFAULT '',
    agent TEXT NOT NULL DEFAULT '',
    channel TEXT NOT NULL DEFAULT '',
    status INTEGER NOT NULL DEFAULT 0,  -- as in summary.STATUSES
    reason TEXT NOT NULL DEFAULT '',    -- of the last rejection
    review TEXT NOT NULL DEFAULT '',    -- accepted or rejected by a person
    tags TEXT NOT NULL DEFAULT '',
    opened_ms INTEGER NOT NULL,
    last_ms INTEGER NOT NULL,
    steps INTEGER NOT NULL DEFAULT 0,
    tokens INTEGER NOT NULL DEFAULT 0,  -- sampled
    rejected INTEGER NOT NULL DEFAULT 0,
    version_min INTEGER,
    version_max INTEGER,
    reward REAL,
    update_version INTEGER,             -- that trained it
    UNIQUE (tenant, trajectory_id)
);
-- What filters look at lies in it too: a list of what hardly any has passes many.
CREATE INDEX trajectories_by_time
    ON trajectories (tenant, last_ms, channel, review, reward, version_min, version_max, steps);
CREATE INDEX trajectories_by_status ON trajectories (tenant, status, last_ms);
CREATE INDEX trajectories_by_agent ON trajectories (tenant, agent, last_ms);
CREATE INDEX trajectories_by_group ON trajectories (tenant, group_id, last_ms);
CREATE INDEX trajectories_by_age ON trajectories (last_ms);

CREATE TABLE outcomes (                 -- what updates did with samples
    sample_id TEXT PRIMARY KEY,
    update_id TEXT NOT NULL,
    version INTEGER NOT NULL,
    status INTEGER NOT NULL
) WITHOUT ROWID;

CREATE VIRTUAL TABLE search USING fts5(text, content='');
"""
