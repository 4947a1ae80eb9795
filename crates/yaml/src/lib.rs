//! YAML as Helm and Kubernetes read and write it
