-- Pods: groups of containers that share namespaces and limits. Names of pods and of containers are never the same.

CREATE TABLE pods (
    id           TEXT PRIMARY KEY,
    name         TEXT NOT NULL UNIQUE,
    created_ns   INTEGER NOT NULL,
    -- PodConfig (pod/spec/pods.py) as JSON
    config       TEXT NOT NULL
) WITHOUT ROWID;

-- A pod cannot be removed before its containers.
ALTER TABLE containers ADD COLUMN pod TEXT REFERENCES pods (id);

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
