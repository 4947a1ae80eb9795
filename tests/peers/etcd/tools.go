//go:build tools

// Package etcd names the cluster's store; tests/rig/build builds it. Debian's is too old for the API
// server's streamed lists.
package etcd

import _ "go.etcd.io/etcd/server/v3"
