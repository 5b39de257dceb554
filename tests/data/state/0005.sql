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
, pod TEXT REFERENCES pods (id)) WITHOUT ROWID;
INSERT INTO "containers" VALUES('aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa','ended','exited',1,0,9,3,'','sha256:1','{"image":"busybox","entrypoint":["sh"],"command":["-c","true"]}','{"out_of_memory":true}',NULL);
INSERT INTO "containers" VALUES('bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb','user','created',1,0,0,0,'','','{"image":"busybox","entrypoint":["sh"],"command":["-c","true"],"mounts":[{"source":"data","kind":"volume","target":"/data"}],"volumes":["data"],"needs":["aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"]}','{}',NULL);
INSERT INTO "containers" VALUES('dddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddd','shop-infra','created',1,0,0,0,'','','{"image":"busybox","entrypoint":["sh"],"command":["-c","true"],"pod":"cccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccc","is_infra":true}','{}','cccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccc');
CREATE TABLE dependencies (
    container    TEXT NOT NULL REFERENCES containers (id) ON DELETE CASCADE,
    needs        TEXT NOT NULL REFERENCES containers (id),
    PRIMARY KEY (container, needs)
) WITHOUT ROWID;
INSERT INTO "dependencies" VALUES('bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb','aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa');
CREATE TABLE guests (
    network      TEXT NOT NULL REFERENCES networks (name) ON DELETE CASCADE,
    address      TEXT NOT NULL,
    guest        TEXT NOT NULL,
    pid          INTEGER NOT NULL,
    started      INTEGER NOT NULL,
    PRIMARY KEY (network, address)
) WITHOUT ROWID;
CREATE TABLE leases (
    network      TEXT NOT NULL REFERENCES networks (name),
    address      TEXT NOT NULL,
    container    TEXT NOT NULL REFERENCES containers (id) ON DELETE CASCADE,
    PRIMARY KEY (network, address)
) WITHOUT ROWID;
INSERT INTO "leases" VALUES('back','10.89.0.2','bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb');
CREATE TABLE networks (
    name         TEXT PRIMARY KEY,
    id           TEXT NOT NULL UNIQUE,
    interface    TEXT NOT NULL UNIQUE,
    document     TEXT NOT NULL
) WITHOUT ROWID;
INSERT INTO "networks" VALUES('back','eeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeee','podman1','{"subnets":[{"subnet":"10.89.0.0/24","gateway":"10.89.0.1"}],"id":"eeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeee","name":"back","interface":"podman1"}');
INSERT INTO "networks" VALUES('podman','2f259bab93aaaaa2542ba43ef33eb990d0999ee1b9924b557b7be53c0b7a1bb9','podman0','{"id":"2f259bab93aaaaa2542ba43ef33eb990d0999ee1b9924b557b7be53c0b7a1bb9","name":"podman","interface":"podman0","created_ns":1795297832000000000,"subnets":[{"subnet":"10.88.0.0/16","gateway":"10.88.0.1"}]}');
CREATE TABLE pods (
    id           TEXT PRIMARY KEY,
    name         TEXT NOT NULL UNIQUE,
    created_ns   INTEGER NOT NULL,
    -- PodConfig (pod/spec/pods.py) as JSON
    config       TEXT NOT NULL
) WITHOUT ROWID;
INSERT INTO "pods" VALUES('cccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccc','shop',11,'{"labels":{"l":"1"},"share":["net"]}');
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
CREATE INDEX containers_by_pod ON containers (pod) WHERE pod IS NOT NULL;
CREATE TRIGGER container_named_as_pod BEFORE INSERT ON containers
WHEN EXISTS (SELECT 1 FROM pods WHERE name = NEW.name)
BEGIN
    SELECT RAISE(ABORT, 'a pod has the name');
END;
CREATE TRIGGER container_renamed_as_pod BEFORE UPDATE OF name ON containers
WHEN EXISTS (SELECT 1 FROM pods WHERE name = NEW.name)
BEGIN
    SELECT RAISE(ABORT, 'a pod has the name');
END;
CREATE TRIGGER pod_named_as_container BEFORE INSERT ON pods
WHEN EXISTS (SELECT 1 FROM containers WHERE name = NEW.name)
BEGIN
    SELECT RAISE(ABORT, 'a container has the name');
END;
CREATE INDEX leases_by_container ON leases (container);
COMMIT;
PRAGMA user_version = 5;
