//! The Argo CD config-management plugin: discover, generate, parameters
