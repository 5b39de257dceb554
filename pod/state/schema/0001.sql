-- What exists. A row holds what is searched by, and one JSON document (pod/spec/container.py).
-- Times are nanoseconds since 1970; 0 means never.

CREATE TABLE containers (
    id           TEXT PRIMARY KEY,
    name         TEXT NOT NULL UNIQUE,
    -- 'active' only says that a monitor was started: whether the container runs, its run directory tells.
    status       TEXT NOT NULL CHECK (status IN ('created', 'active', 'exited')),
    created_ns   INTEGER NOT NULL,
    started_ns   INTEGER NOT NULL DEFAULT 0,
    finished_ns  INTEGER NOT NULL DEFAULT 0,
    exit_status  INTEGER NOT NULL DEFAULT 0,
    boot_id      TEXT NOT NULL DEFAULT '',
    image_id     TEXT NOT NULL DEFAULT '',
    config       TEXT NOT NULL,
    outcome      TEXT NOT NULL DEFAULT '{}'
) WITHOUT ROWID;

CREATE INDEX containers_by_image ON containers (image_id);

-- A container that uses another's namespaces or volumes keeps that one from being removed.
CREATE TABLE dependencies (
    container    TEXT NOT NULL REFERENCES containers (id) ON DELETE CASCADE,
    needs        TEXT NOT NULL REFERENCES containers (id),
    PRIMARY KEY (container, needs)
) WITHOUT ROWID;

CREATE TABLE volumes (
    name         TEXT PRIMARY KEY,
    created_ns   INTEGER NOT NULL,
    anonymous    INTEGER NOT NULL DEFAULT 0,
    document     TEXT NOT NULL DEFAULT '{}'
) WITHOUT ROWID;

CREATE TABLE volume_users (
    volume       TEXT NOT NULL REFERENCES volumes (name),
    container    TEXT NOT NULL REFERENCES containers (id) ON DELETE CASCADE,
    PRIMARY KEY (volume, container)
) WITHOUT ROWID;
