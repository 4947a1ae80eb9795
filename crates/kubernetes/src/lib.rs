//! The cluster's side of a delivery: what the engine asks for, done with a Kubernetes API server.
