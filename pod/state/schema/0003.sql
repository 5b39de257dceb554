-- User-defined networks (pod/spec/networks.py), and the addresses that containers have on them, running or not.

CREATE TABLE networks (
    name         TEXT PRIMARY KEY,
    id           TEXT NOT NULL UNIQUE,
    interface    TEXT NOT NULL UNIQUE,
    document     TEXT NOT NULL
) WITHOUT ROWID;

CREATE TABLE leases (
    network      TEXT NOT NULL REFERENCES networks (name),
    address      TEXT NOT NULL,
    container    TEXT NOT NULL REFERENCES containers (id) ON DELETE CASCADE,
    PRIMARY KEY (network, address)
) WITHOUT ROWID;

CREATE INDEX leases_by_container ON leases (container);
