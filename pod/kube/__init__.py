"""Kubernetes YAML: documents -> pods, volumes and secrets of this machine (`kube play`, `kube down`), and back
(`kube generate`). Calls the engine as the single commands do.

Source: the Kubernetes API reference, v1.31 (core/v1, apps/v1, batch/v1), and podman-kube-play(1) for what it means on
one machine.
"""
