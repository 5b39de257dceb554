-- Addresses of what is on a network without being a container: commands of builds. One whose process has ended, by its
-- number and start time (proc(5)), counts no more.

CREATE TABLE guests (
    network      TEXT NOT NULL REFERENCES networks (name) ON DELETE CASCADE,
    address      TEXT NOT NULL,
    guest        TEXT NOT NULL,
    pid          INTEGER NOT NULL,
    started      INTEGER NOT NULL,
    PRIMARY KEY (network, address)
) WITHOUT ROWID;
