-- The default network, with podman's name, id and subnet; nobody removes it (pod/engine/networks.py).

INSERT INTO networks (name, id, interface, document) VALUES (
    'podman',
    '2f259bab93aaaaa2542ba43ef33eb990d0999ee1b9924b557b7be53c0b7a1bb9',
    'podman0',
    '{"id":"2f259bab93aaaaa2542ba43ef33eb990d0999ee1b9924b557b7be53c0b7a1bb9","name":"podman","interface":"podman0",'
    || '"created_ns":' || strftime('%s', 'now') || '000000000,'
    || '"subnets":[{"subnet":"10.88.0.0/16","gateway":"10.88.0.1"}]}'
);
