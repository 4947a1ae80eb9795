//! One machine's side of the delivery traits: ledger file, task processes, workloads
