"""Which module does a network backend's work. A backend has `begin` (see netns/attach.py) and `probe`."""

MODULES = {
    "pasta": "pasta",
    "slirp4netns": "slirp4netns",
    "networks": "networks",
    "none": "none",
    "host": "none",
    "joined": "none",
}
