//! The built-in tasks: wait-for-target, load and promote
