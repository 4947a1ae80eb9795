//! Promotion: editing values, git and forges
