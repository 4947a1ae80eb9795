//! Helm charts: load, values, dependencies, functions, engine and manifests
