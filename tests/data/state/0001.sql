BEGIN TRANSACTION;
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
INSERT INTO "containers" VALUES('aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa','ended','exited',1,0,9,3,'','sha256:1','{"image":"busybox","entrypoint":["sh"],"command":["-c","true"]}','{"out_of_memory":true}');
INSERT INTO "containers" VALUES('bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb','user','created',1,0,0,0,'','','{"image":"busybox","entrypoint":["sh"],"command":["-c","true"],"mounts":[{"source":"data","kind":"volume","target":"/data"}],"volumes":["data"],"needs":["aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"]}','{}');
CREATE TABLE dependencies (
    container    TEXT NOT NULL REFERENCES containers (id) ON DELETE CASCADE,
    needs        TEXT NOT NULL REFERENCES containers (id),
    PRIMARY KEY (container, needs)
) WITHOUT ROWID;
INSERT INTO "dependencies" VALUES('bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb','aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa');
CREATE TABLE volume_users (
    volume       TEXT NOT NULL REFERENCES volumes (name),
    container    TEXT NOT NULL REFERENCES containers (id) ON DELETE CASCADE,
    PRIMARY KEY (volume, container)
) WITHOUT ROWID;
INSERT INTO "volume_users" VALUES('data','bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb');
CREATE TABLE volumes (
    name         TEXT PRIMARY KEY,
    created_ns   INTEGER NOT NULL,
    anonymous    INTEGER NOT NULL DEFAULT 0,
    document     TEXT NOT NULL DEFAULT '{}'
) WITHOUT ROWID;
INSERT INTO "volumes" VALUES('data',5,0,'{"labels":{"l":"1"},"uid":7}');
CREATE INDEX containers_by_image ON containers (image_id);
COMMIT;
PRAGMA user_version = 1;
